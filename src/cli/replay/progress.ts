import cliProgress from 'cli-progress';

export interface Progress {
  update(bytesRead: number, sent: number): void;
  /** Prints a permanent line above the bar. */
  note(text: string): void;
  stop(): void;
}

/** Shows a progress bar if stderr is a terminal, and nothing otherwise. @param bytesTotal size of the file */
export function createProgress(stream: NodeJS.WriteStream, bytesTotal: number): Progress {
  if (!stream.isTTY) return { update: () => {}, note: (text) => stream.write(`${text}\n`), stop: () => {} };
  const bar = new cliProgress.SingleBar({
    stream,
    format: '{bar} {percentage}% of the file | {sent} sent | {rate}/s',
    hideCursor: true,
    // The command handles signals itself, and prints a summary before it ends.
    gracefulExit: false,
  });
  const startedMs = performance.now();
  bar.start(bytesTotal, 0, { sent: 0, rate: 0 });
  return {
    update(bytesRead, sent) {
      const seconds = (performance.now() - startedMs) / 1000;
      bar.update(Math.min(bytesRead, bytesTotal), { sent, rate: Math.round(sent / Math.max(seconds, 0.001)) });
    },
    note(text) {
      stream.write(`\r\u001b[K${text}\n`);
    },
    stop: () => bar.stop(),
  };
}
