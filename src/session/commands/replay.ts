import { setTimeout as sleep } from 'node:timers/promises';
import type { FanoutItem } from '../../fanout/item.ts';
import { assertStillMay, type Reading, type ReadPage, readPage, sendPage } from './history-pages.ts';
import { ReplayPace } from './replay-pace.ts';

/** Between two messages to the client. */
const SILENCE_MAX_MS = 5000;

/** A `history` with `speed`: its items as they are due. It is read page by page too, and no other answer waits for the pauses. */
export async function replay(reading: Reading, speed: number): Promise<void> {
  const pace = new ReplayPace(speed);
  for (;;) {
    const read = await reading.connection.receiver.inTurn(() => readPage(reading));
    if (read === undefined) return;
    await play(reading, read, pace);
    if (read.isLast) return;
  }
}

/** What is due is sent at once. In a long pause the client is told how far it is, so that it knows that it goes on. */
async function play(reading: Reading, { page, items, isLast }: ReadPage, pace: ReplayPace): Promise<void> {
  const { connection } = reading;
  let offset = reading.question.since?.offset ?? 0;
  for (let at = 0; at < items.length; ) {
    const waitMs = pace.waitMs((items[at] as FanoutItem).publishedAtMs, performance.now());
    if (waitMs > 0) await sleep(Math.min(waitMs, SILENCE_MAX_MS));
    if (!connection.isOpen) return;
    assertStillMay(reading);
    const isDue = waitMs <= SILENCE_MAX_MS;
    const some = isDue ? items.slice(at, at + pace.dueCount(items, at, performance.now())) : [];
    at += some.length;
    const ends = at === items.length;
    offset = ends ? page.offset : (some.at(-1)?.offset ?? Math.max(offset, (items[at] as FanoutItem).offset - 1));
    await sendPage(reading, { page: { ...page, offset }, items: some, isLast: isLast && ends });
  }
  if (items.length === 0) await sendPage(reading, { page, items, isLast });
}
