/** A reader that has gone away (`| head`) ends the command quietly. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** For what is not the command's result. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
