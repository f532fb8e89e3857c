import cliProgress from 'cli-progress';

export interface Progress {
  update(bytesRead: number, sent: number): void;
  /** A line that stays, above the bar. */
  note(text: string): void;
  stop(): void;
}

/** A bar on stderr while a person watches; nothing elsewhere. @param bytesTotal the file's size */
export function createProgress(stream: NodeJS.WriteStream, bytesTotal: number): Progress {
  if (!stream.isTTY) return { update: () => {}, note: (text) => stream.write(`${text}\n`), stop: () => {} };
  const bar = new cliProgress.SingleBar({
    stream,
    format: '{bar} {percentage}% of the file | {sent} sent | {rate}/s',
    hideCursor: true,
    // The command ends itself on signals, and has a summary to print before.
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
