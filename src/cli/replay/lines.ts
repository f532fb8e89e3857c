/** Longer lines are refused: no payload is that long, and a file without line ends must not fill the memory. */
export const LINE_CHARACTERS_MAX = 2 * 1024 * 1024;

export interface Line {
  /** Without the line end. Empty if it was {@link tooLong}. */
  readonly text: string;
  /** From 1. */
  readonly lineNumber: number;
  readonly tooLong: boolean;
}

/** Splits chunks of text into lines that end with LF or CRLF, and drops a byte order mark. The last line needs no line end. */
export async function* readLines(chunks: AsyncIterable<string>, charactersMax = LINE_CHARACTERS_MAX): AsyncGenerator<Line, void> {
  let rest = '';
  let tooLong = false;
  let lineNumber = 0;
  let first = true;
  const line = (text: string): Line => {
    lineNumber++;
    const refused = tooLong || text.length > charactersMax;
    tooLong = false;
    return { text: refused ? '' : text.endsWith('\r') ? text.slice(0, -1) : text, lineNumber, tooLong: refused };
  };
  for await (const chunk of chunks) {
    const [head = '', ...tail] = (first && chunk.startsWith('\uFEFF') ? chunk.slice(1) : chunk).split('\n');
    first = false;
    rest += head;
    for (const text of tail) {
      yield line(rest);
      rest = text;
    }
    if (rest.length > charactersMax) {
      tooLong = true;
      rest = '';
    }
  }
  if (rest !== '' || tooLong) yield line(rest);
}
