/** Autobahn's byte sequences for UTF-8 (cases 6.5 to 6.23), as hexadecimal digits. They come from Markus Kuhn's UTF-8-test.txt. */
export const VALID: Readonly<Record<string, readonly string[]>> = {
  'of every length': [
    '68656c6c6f24776f726c64',
    '68656c6c6fc2a2776f726c64',
    '68656c6c6fe282ac776f726c64',
    '68656c6c6ff0a4ada2776f726c64',
    'cebae1bdb9cf83cebcceb5',
  ],
  'first of a length': ['c280', 'e0a080', 'f0908080'],
  'last of a length': ['dfbf', 'efbfbf', 'f48fbfbf'],
  'beside a bound': ['ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf'],
  'no characters': ['efbfbe', 'efbfbf', 'f09fbfbe', 'f09fbfbf', 'f0afbfbe', 'f0bfbfbf', 'f18fbfbe', 'f2afbfbf', 'f3bfbfbe', 'f48fbfbf'],
  specials: ['efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd'],
};

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => (from + i).toString(16));
const lonely = (from: number, to: number) =>
  range(from, to)
    .map((start) => `${start}20`)
    .join('');
const CUT_OFF = ['c0', 'e080', 'f08080', 'f8808080', 'fc80808080', 'df', 'efbf', 'f7bfbf', 'fbbfbfbf', 'fdbfbfbfbf'];

export const INVALID: Readonly<Record<string, readonly string[]>> = {
  'parts of a character': ['ce', 'cebae1', 'cebae1bd', 'cebae1bdb9cf', 'cebae1bdb9cf83cebcce'],
  'of five or six bytes': ['f888808080', 'fc8480808080', 'f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf'],
  'above U+10FFFF': ['f4908080'],
  'continuations without a start': ['80', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80', '80bf80bf80bf', range(0x80, 0xbf).join('')],
  'starts without a continuation': [lonely(0xc0, 0xdf), lonely(0xe0, 0xef), lonely(0xf0, 0xf7), lonely(0xf8, 0xfb), lonely(0xfc, 0xfd)],
  'without their last byte': [...CUT_OFF, CUT_OFF.join('')],
  'impossible bytes': ['fe', 'ff', 'fefeffff'],
  'longer than necessary': [
    'c0af',
    'e080af',
    'f08080af',
    'f8808080af',
    'fc80808080af',
    'c1bf',
    'e09fbf',
    'f08fbfbf',
    'f887bfbfbf',
    'fc83bfbfbfbf',
    'c080',
    'e08080',
    'f0808080',
    'f880808080',
    'fc8080808080',
  ],
  surrogates: [
    'eda080',
    'edadbf',
    'edae80',
    'edafbf',
    'edb080',
    'edbe80',
    'edbfbf',
    'eda080edb080',
    'eda080edbfbf',
    'edadbfedb080',
    'edadbfedbfbf',
    'edae80edb080',
    'edae80edbfbf',
    'edafbfedb080',
    'edafbfedbfbf',
  ],
  'in the middle of a text': ['cebae1bdb9cf83cebcceb5eda080656469746564', 'cebae1bdb9cf83cebcceb5f4908080656469746564'],
};
