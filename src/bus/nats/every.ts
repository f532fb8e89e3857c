/** Runs `work`, which does not reject, now and then again, each time so long after its end; never where that is 0. @returns how to end it */
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
