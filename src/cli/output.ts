/** If the reader of the output has gone (`| head`), the command ends without an error. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

export function print(text: string): void {
  process.stdout.write(`${escaped(text)}\n`);
}

/** Prints what is not part of the command's result, to stderr. */
export function note(text: string): void {
  process.stderr.write(`${escaped(text)}\n`);
}

/** All but the ends of lines and tabs: controls, also those of 8 bits, and what turns the direction of writing. */
const OBEYED = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Clients choose data and names. What a terminal would obey is written as in JSON, where it means the same (`\u009b`). */
export function escaped(text: string): string {
  return text.replace(OBEYED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** What others wrote, such as a reason, as a part of one line: it must not look like lines of the command's own. */
export function inOneLine(text: string): string {
  return text.replaceAll('\n', '\\n');
}

/** A word of a shell's command line, for the user to copy. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
