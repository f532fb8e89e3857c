import { kernelBytesOfPort } from '../../../loadtest/core/ss.ts';
import { TestClient } from '../../support/test-client.ts';
import { AttackedNode } from '../attacked-node.ts';
import type { FaultRun } from '../fault-run.ts';
import type { Feed } from '../feed.ts';
import { lifeOf } from '../ledger.ts';
import type { Scenario } from '../scenario.ts';
import { readStore } from '../store.ts';
import { seconds } from '../time.ts';

const SKIPPED = 'large.t0';
const CONFLATED = 'latest.t0';
const CONFLATED_READERS = 10;
/** Of each reader: 1 MB a second. */
const ITEM_BYTES = 10_000;
const ITEMS_PER_SECOND = 100;
const STOPPED_SECONDS = 20;
/** What the kernel keeps for a socket that is not read (tcp_wmem), with its own overhead. */
const KERNEL_BYTES_MAX = 6 * 2 ** 20;
const WORKER_MAX_MB = 350;

export const stoppedReaders: Scenario = {
  number: 7,
  title: `readers of 1 MB/s are stopped (SIGSTOP), and go on after ${STOPPED_SECONDS} s`,
  pass: 'memory of node and kernel bounded; other clients are not affected; the readers are told what they did not get',
  size: { clients: 200, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 240_000,
  async execute(run, size) {
    const nats = await run.nats();
    const urls = [nats.url];
    const kept = { public: true, history: { maxCount: 1_000_000 } };
    const namespaces = { scores: kept, large: { ...kept, slowConsumer: 'skip' }, latest: { ...kept, slowConsumer: 'conflate' } };
    const attacked = await AttackedNode.start(run, urls, size.ratePerSecond, { settings: { namespaces } });
    const { node } = attacked;
    const large = new LargeFeed(run, await run.feed({ urls, topics: [SKIPPED, CONFLATED], ratePerSecond: 1 }));
    await large.publish(SKIPPED);
    await large.publish(CONFLATED);
    const swarm = await run.swarm({ clients: size.clients, topics: [SKIPPED], ports: [node.port] });
    const latest = await conflatedReaders(run, node.url);
    await attacked.during('stopped', async () => {
      process.kill(swarm.pid, 'SIGSTOP');
      for (const client of latest) client.pause();
      large.start();
      await seconds(size.quick ? 4 : STOPPED_SECONDS);
      const kernelBytes = await kernelBytesOfPort(node.port);
      run.limit('kernelMb', kernelBytes / 2 ** 20, ((size.clients + CONFLATED_READERS) * KERNEL_BYTES_MAX) / 2 ** 20);
      return { kernelBytes };
    });
    run.limit('stoppedWorkerMb', run.outcome.figures.stoppedWorkerMb ?? 0, WORKER_MAX_MB);
    await attacked.during('goOn', async () => {
      process.kill(swarm.pid, 'SIGCONT');
      for (const client of latest) client.resume();
      await seconds(3);
      return {};
    });
    await large.stop();
    const last = await large.publish(CONFLATED);
    await large.publish(SKIPPED);
    const stored = await readStore(urls, 'large');
    const { epochs, lagged } = await swarm.stats();
    await run.judgeClients({ urls, swarm, size, declarationsAllowed: true }, [lifeOf(epochs[0] ?? '', stored)], stored);
    run.figure('laggedTold', lagged);
    const published = (await readStore(urls, 'latest')).length - 1;
    for (const client of latest) {
      const tracker = client.track(CONFLATED);
      await client.until('the last publication', () => tracker.last >= last);
      run.none({
        conflatedUntold: published - tracker.items.length - tracker.conflated,
        conflatedGaps: tracker.gaps,
        conflatedTwice: tracker.duplicates,
      });
      run.figure('conflated', tracker.conflated);
    }
    if (!size.quick) run.expect(lagged > 0, 'no reader was told that something was skipped');
    await attacked.end();
  },
};

async function conflatedReaders(run: FaultRun, url: string): Promise<TestClient[]> {
  const clients = await Promise.all(Array.from({ length: CONFLATED_READERS }, () => TestClient.connect(url, { encoding: 'msgpack' })));
  run.onEnd(() => Promise.all(clients.map((client) => client.close())));
  for (const client of clients) {
    client.track(CONFLATED);
    client.send({ type: 'connect', id: 0 });
    await client.subscribe(CONFLATED);
  }
  return clients;
}

class LargeFeed {
  readonly #feed: Feed;
  #timer: NodeJS.Timeout | undefined;
  #waiting: Promise<unknown>[] = [];

  constructor(run: FaultRun, feed: Feed) {
    this.#feed = feed;
    run.onEnd(() => clearInterval(this.#timer));
  }

  start(): void {
    this.#timer = setInterval(() => {
      for (const topic of [SKIPPED, CONFLATED]) this.#waiting.push(this.#feed.publish(topic, ITEM_BYTES));
    }, 1000 / ITEMS_PER_SECOND);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#waiting);
  }

  /** @returns its offset */
  async publish(topic: string): Promise<number> {
    const acknowledged = await this.#feed.publish(topic, ITEM_BYTES);
    if (acknowledged === undefined) throw new Error(`a publication of ${topic} was not acknowledged`);
    return acknowledged.offset;
  }
}
