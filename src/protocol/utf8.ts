/**
 * Whether [start, end) is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF, not truncated. Written by hand, because a scan must not
 * build strings; about 1 ns a byte for ASCII.
 */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const lead = bytes[at++] as number;
    if (lead < 0x80) continue;
    const length = lead >= 0xc2 && lead <= 0xdf ? 1 : lead >= 0xe0 && lead <= 0xef ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
    if (length === 0 || at + length > end || !isSecond(lead, bytes[at] as number)) return false;
    for (let i = 1; i < length; i++) if (!isContinuation(bytes[at + i] as number)) return false;
    at += length;
  }
  return true;
}

/** The second byte shows overlong forms, surrogates and values above U+10FFFF. */
function isSecond(lead: number, byte: number): boolean {
  if (!isContinuation(byte)) return false;
  switch (lead) {
    case 0xe0:
      return byte >= 0xa0;
    case 0xed:
      return byte <= 0x9f;
    case 0xf0:
      return byte >= 0x90;
    case 0xf4:
      return byte <= 0x8f;
    default:
      return true;
  }
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

const LONE_SURROGATES = /\p{Surrogate}/gu;

/** Half a surrogate pair, which a JSON escape can contain and UTF-8 cannot, becomes U+FFFD. */
export function toWellFormed(text: string): string {
  return text.replace(LONE_SURROGATES, '\uFFFD');
}
