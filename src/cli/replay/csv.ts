import type { Line } from './lines.ts';
import { LINE_CHARACTERS_MAX } from './lines.ts';
import type { FileRecord } from './records.ts';

export type Cell = string | number | null;

/** Enough digits for a number, few enough for a double, and no leading zeros, as in account numbers or dates. */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/**
 * CSV after RFC 4180: a header line, then one record per line. Quoted cells may contain commas, line ends and doubled quotes. Unquoted numbers become numbers,
 * unquoted empty cells null. Quoted cells stay text.
 */
export async function* readCsv(lines: AsyncIterable<Line>): AsyncGenerator<FileRecord, void> {
  let header: readonly string[] | undefined;
  for await (const { text, lineNumber, tooLong } of joinQuoted(lines)) {
    if (text.trim() === '' && !tooLong) continue;
    const cells = tooLong ? undefined : parseCsvRecord(text);
    if (header === undefined) {
      if (cells === undefined) {
        yield { lineNumber, problem: 'the header is not a CSV record' };
        return;
      }
      header = cells.map((cell) => String(cell ?? ''));
    } else if (cells === undefined)
      yield {
        lineNumber,
        problem: tooLong ? 'the record is too long' : 'not a CSV record (a quote that is not closed, or text after a closing quote)',
      };
    else if (cells.length !== header.length) yield { lineNumber, problem: `${cells.length} cells, the header has ${header.length}` };
    else yield { lineNumber, value: Object.fromEntries(header.map((name, i) => [name, cells[i]])) };
  }
}

/** Joins the lines of a record whose quoted cell spans several lines, up to {@link LINE_CHARACTERS_MAX}. */
async function* joinQuoted(lines: AsyncIterable<Line>): AsyncGenerator<Line, void> {
  let texts: string[] = [];
  let characters = 0;
  let firstLine = 0;
  const take = (tooLong: boolean): Line => {
    const text = tooLong ? '' : texts.join('\n');
    texts = [];
    characters = 0;
    return { text, lineNumber: firstLine, tooLong };
  };
  for await (const line of lines) {
    const wasOpen = texts.length > 0;
    if (!wasOpen) firstLine = line.lineNumber;
    texts.push(line.text);
    characters += line.text.length + 1;
    if (line.tooLong || characters > LINE_CHARACTERS_MAX + 1) yield take(true);
    // A line with an even number of quotes does not change whether a quoted cell is open.
    else if (hasOddQuotes(line.text) === wasOpen) yield take(false);
  }
  if (texts.length > 0) yield take(false);
}

function hasOddQuotes(text: string): boolean {
  let quotes = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) quotes++;
  return quotes % 2 === 1;
}

/** The cells of one record; undefined if its quotes are invalid. */
export function parseCsvRecord(text: string): Cell[] | undefined {
  const cells: Cell[] = [];
  let at = 0;
  while (true) {
    if (text[at] === '"') {
      const quoted = /^"((?:[^"]|"")*)"(,|$)/.exec(text.slice(at));
      if (quoted === null) return undefined;
      cells.push((quoted[1] as string).replaceAll('""', '"'));
      at += quoted[0].length;
      if (quoted[2] === '') return cells;
    } else {
      const comma = text.indexOf(',', at);
      cells.push(cellOf(text.slice(at, comma === -1 ? undefined : comma)));
      if (comma === -1) return cells;
      at = comma + 1;
    }
  }
}

function cellOf(text: string): Cell {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (!NUMBER.test(trimmed)) return text;
  const value = Number(trimmed);
  const exact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  return exact ? value : text;
}
