import { EventClient } from '../../support/event-client.ts';
import { TestProxy } from '../../support/proxy.ts';
import { type FaultRun, topicsOf } from '../fault-run.ts';
import type { Stored } from '../ledger.ts';
import type { Scenario } from '../scenario.ts';
import { readStore } from '../store.ts';
import { monoMs, seconds } from '../time.ts';

const CUT_SECONDS = 30;
/** Before and after the cut. */
const AROUND_SECONDS = 5;
const RESUME_MAX_MS = 10_000;
const DEADLINE_MS = 60_000;
/** Of this namespace the log keeps less than what a client misses in the cut. */
const BRIEF = 'brief';
const BRIEF_COUNT = 200;

/** What an application gets from a stream of events that it opens again with the last id, as a browser does. */
class Follower {
  readonly offsets = new Map<string, number[]>();
  /** How often it was told, after its first stream, that what it missed is gone. */
  declared = 0;
  #client: EventClient | undefined;
  #lastEventId = '';
  #seen = 0;
  #streams = 0;
  readonly #topics: readonly string[];

  constructor(topics: readonly string[]) {
    this.#topics = topics;
  }

  get isCut(): boolean {
    return this.#client?.isClosed ?? true;
  }

  open(port: number): void {
    const query = this.#topics.map((topic) => `topic=${topic}`).join('&');
    const options = this.#lastEventId === '' ? {} : { lastEventId: this.#lastEventId };
    this.#client = new EventClient(port, `/sse?${query}`, options);
    this.#seen = 0;
    this.#streams++;
  }

  /** Reads what has come since the last call. */
  take(): void {
    const client = this.#client;
    if (client === undefined) return;
    for (; this.#seen < client.events.length; this.#seen++) {
      const { event, data, id } = client.events[this.#seen] as EventClient['events'][number];
      if (id !== undefined) this.#lastEventId = id;
      const startsOver = event === 'resync' || (event === 'subscribed' && !data.recovered);
      if (startsOver && this.#streams > 1) this.declared++;
      if (data.items === undefined) continue;
      const offsets = this.offsets.get(data.topic) ?? [];
      this.offsets.set(data.topic, offsets);
      for (const [offset] of data.items) offsets.push(offset);
    }
  }

  close(): void {
    this.#client?.socket.destroy();
  }
}

export const streamCut: Scenario = {
  number: 31,
  title: `streams of events are cut for ${CUT_SECONDS} s, and come back to another node with their last ids`,
  pass: 'each publication once and in order; where the log no longer has what was missed, each topic is told so',
  size: { clients: 50, ratePerSecond: 300, topics: 3, quick: false },
  timeoutMs: 240_000,
  async execute(run, size) {
    const nats = await run.nats();
    const kept = { durable: true, public: true, history: { maxCount: 1_000_000 } };
    const settings = { settings: { namespaces: { scores: kept, [BRIEF]: { ...kept, history: { maxCount: BRIEF_COUNT } } } } };
    const nodes = [await run.node([nats.url], settings), await run.node([nats.url], settings)] as const;
    const topics = topicsOf(size.topics);
    const feed = await run.feed({ urls: [nats.url], topics: [...topics, `${BRIEF}.t0`], ratePerSecond: size.ratePerSecond });
    const proxy = await TestProxy.start(nodes[0].port);
    run.onEnd(() => proxy.stop());
    const followers = Array.from({ length: size.clients }, () => new Follower(topics));
    const brief = new Follower([`${BRIEF}.t0`]);
    const all = [...followers, brief];
    run.onEnd(() => all.map((follower) => follower.close()));
    for (const follower of all) follower.open(proxy.port);
    feed.start();
    await seconds(size.quick ? 1 : AROUND_SECONDS);
    for (const follower of all) follower.take();
    const before = feed.acknowledged.length;
    proxy.refusing = true;
    proxy.cut('reset');
    proxy.target(nodes[1].port);
    // At least until more was published than the brief namespace keeps.
    const cutEndMs = monoMs() + (size.quick ? 2 : CUT_SECONDS) * 1000;
    const countOf = () => feed.acknowledged.slice(before).filter(({ topic }) => topic.startsWith(BRIEF)).length;
    while (monoMs() < cutEndMs || countOf() <= 2 * BRIEF_COUNT) await seconds(0.1);
    run.figure('missed', feed.acknowledged.length - before);
    proxy.refusing = false;
    const backMs = monoMs();
    const owed = feed.lastOffsets;
    for (const follower of all) {
      run.expect(follower.isCut, 'a stream was not cut');
      follower.take();
      follower.open(proxy.port);
    }
    run.limitMs('resumeMs', (await reached(run, all, owed)) - backMs, RESUME_MAX_MS);
    await seconds(size.quick ? 1 : AROUND_SECONDS);
    await feed.stop();
    await reached(run, all, feed.lastOffsets);
    judge(run, followers, await readStore([nats.url], 'scores'));
    run.limit('declared', Math.max(...followers.map(({ declared }) => declared)), 0);
    run.expect(brief.declared === 1, `the topic of which the log keeps too little was told so ${brief.declared} times`);
    const ordered = [...(brief.offsets.get(`${BRIEF}.t0`) ?? [])];
    run.expect(
      ordered.every((offset, i) => i === 0 || offset > (ordered[i - 1] as number)),
      'the brief topic was not in order',
    );
  },
};

/** @returns when all have these offsets, on the shared clock */
async function reached(run: FaultRun, followers: readonly Follower[], owed: Readonly<Record<string, number>>): Promise<number> {
  const deadlineMs = monoMs() + DEADLINE_MS;
  const isThere = (follower: Follower) => {
    follower.take();
    return [...follower.offsets].every(([topic, offsets]) => (offsets.at(-1) ?? 0) >= (owed[topic] ?? 0));
  };
  while (!followers.every(isThere)) {
    if (monoMs() > deadlineMs) {
      run.fail('a stream never got what was published');
      break;
    }
    await seconds(0.05);
  }
  return monoMs();
}

function judge(run: FaultRun, followers: readonly Follower[], stored: readonly Stored[]): void {
  const counts = { lost: 0, duplicates: 0, reordered: 0 };
  for (const { offsets } of followers) {
    for (const [topic, got] of offsets) {
      const [first = 0] = got;
      const wanted = stored.filter((one) => one.topic === topic && one.offset >= first).map(({ offset }) => offset);
      const distinct = new Set(got);
      counts.lost += wanted.filter((offset) => !distinct.has(offset)).length;
      counts.duplicates += got.length - distinct.size;
      counts.reordered += got.filter((offset, i) => i > 0 && offset < (got[i - 1] as number)).length;
    }
  }
  run.none(counts);
}
