import { setTimeout as sleep } from 'node:timers/promises';

export interface Pace {
  readonly count: number;
  readonly perSecond: number;
  /** Timers are coarse: as often, what is due by then is sent. */
  readonly everyMs: number;
}

/** Sends so many messages a second, and resolves when the last one has been stored. @param send is told how many came before */
export async function paced({ count, perSecond, everyMs }: Pace, send: (index: number) => Promise<unknown>): Promise<void> {
  const startedMs = performance.now();
  let last: Promise<unknown> = Promise.resolve();
  for (let sent = 0; sent < count; ) {
    const due = Math.min(count, 1 + Math.floor(((performance.now() - startedMs) / 1000) * perSecond));
    for (; sent < due; sent++) last = send(sent);
    if (sent < count) await sleep(everyMs);
  }
  await last;
}
