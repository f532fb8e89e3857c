/** Runs `work`, which does not reject, at intervals, counted from its end; not at all if the interval is 0. @returns a function that stops it */
export function every(pauseMs: number, work: () => Promise<void>): () => void {
  if (pauseMs === 0) return () => undefined;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const run = async () => {
    await work();
    if (!ended) timer = setTimeout(run, pauseMs);
  };
  void run();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
