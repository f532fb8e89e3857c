/** If the reader of the output has gone (`| head`), the command ends without an error. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints what is not part of the command's result, to stderr. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
