/** One column of a printed table. */
export interface Column<T> {
  readonly head: string;
  readonly text: (row: T) => string;
  /** Numbers are aligned at their right end. */
  readonly isNumber?: true;
}

const GAP = '  ';

/** Lines of text: the heads, then the rows. Names come from clients: what could move the cursor is replaced. */
export function tableLines<T>(columns: readonly Column<T>[], rows: readonly T[]): string[] {
  const cells = rows.map((row) => columns.map(({ text }) => printable(text(row))));
  const all = [columns.map(({ head }) => head), ...cells];
  const widths = columns.map((_, column) => Math.max(...all.map((line) => (line[column] ?? '').length)));
  return all.map((line) => {
    const padded = line.map((cell, at) => (columns[at]?.isNumber ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)));
    return padded.join(GAP).trimEnd();
  });
}

/** Without control characters, which a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '�');
}
