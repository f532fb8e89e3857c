import { loadConfig } from '../../src/config/load.ts';
import { HubTopic } from '../../src/hub/hub-topic.ts';
import { toLinkItem } from '../../src/hub/link-item.ts';
import { LINK_ITEM_FORM } from '../../src/hub/recent-items.ts';
import { parseFeedName } from '../../src/protocol/feed-name.ts';
import { packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { type Key, parseTopic } from '../../src/protocol/topic.ts';
import { RecentBudget } from '../../src/recent/budget.ts';

/**
 * What the recent past of a hub takes of memory, beside the bytes that it counts, once it is full; and the CPU of a publication that is kept. Without NATS, links and workers:
 * `node --expose-gc --import tsx loadtest/profile/hub-memory.ts`. The publications lie in chunks as the NATS client reads them.
 */
const BYTES_MAX = 64 * 2 ** 20;
const CHUNK_BYTES = 65_536;
/** Of the budget, so that what was kept first has been evicted. */
const ROUNDS = 3;
const QUIET_EVERY = 20;
const PATTERN = parseFeedName('scores.>', undefined);

interface Kind {
  readonly name: string;
  readonly bytes: number;
  readonly topics: number;
  /** All but one of so many publications are of one topic. */
  readonly hot?: true;
  readonly kind?: 'json' | 'msgpack';
  readonly hasTags?: true;
  readonly isFromClient?: true;
  readonly hasEventTime?: true;
  readonly hasKey?: true;
}

const KINDS: readonly Kind[] = [
  { name: '20 bytes', bytes: 20, topics: 1000 },
  { name: '100 bytes', bytes: 100, topics: 1000 },
  { name: '100 bytes, MessagePack', bytes: 100, topics: 1000, kind: 'msgpack' },
  { name: '100 bytes, one hot topic', bytes: 100, topics: 50_000, hot: true },
  { name: '100 bytes, of a client', bytes: 100, topics: 1000, isFromClient: true },
  { name: '100 bytes, tags, event time', bytes: 100, topics: 1000, hasTags: true, hasEventTime: true },
  { name: '100 bytes, of a pattern, with a key', bytes: 100, topics: 1000, hasKey: true },
  { name: '1,000 bytes', bytes: 1000, topics: 1000 },
  { name: '2,000 bytes', bytes: 2000, topics: 1000 },
  { name: '10,000 bytes', bytes: 10_000, topics: 1000 },
];

const { config } = loadConfig({ env: {}, flags: { namespaces: { scores: {} }, 'log.level': 'silent' } });
const namespace = config.namespaces.scores;
if (namespace === undefined || globalThis.gc === undefined) throw new Error('run it with --expose-gc');
const collect = globalThis.gc;

/** Payloads are views of chunks. */
function chunkOf({ bytes, kind = 'json' }: Kind): { chunk: Buffer; views: [number, number][] } {
  const value = { n: 123456, text: 'x'.repeat(Math.max(0, bytes - 18)) };
  const payload = Buffer.from(kind === 'json' ? JSON.stringify(value) : packMsgpack(value));
  const count = Math.max(1, Math.floor(CHUNK_BYTES / (payload.length + 100)));
  const chunk = Buffer.alloc(count * (payload.length + 100), 0x20);
  const views = Array.from({ length: count }, (_, at): [number, number] => {
    const start = at * (payload.length + 100);
    payload.copy(chunk, start);
    return [start, start + payload.length];
  });
  return { chunk, views };
}

function taken(): number {
  for (let i = 0; i < 4; i++) collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

for (const kind of KINDS) {
  const before = taken();
  const budget = new RecentBudget(LINK_ITEM_FORM, { ...config.tuning.recent, bytesMax: BYTES_MAX });
  const topics = Array.from({ length: kind.topics }, (_, n) => {
    const topic = new HubTopic({ topic: parseTopic(`scores.t${n}`), number: n, durable: true, state: 'last', recent: budget });
    topic.open({ epoch: 'e', offset: 0, completeFrom: 0, items: [] });
    return topic;
  });
  const ofTopics = taken() - before;
  const { chunk: model, views } = chunkOf(kind);
  let offset = 0;
  let published = 0;
  const cpuBefore = process.cpuUsage();
  while (published < ROUNDS * BYTES_MAX) {
    const chunk = Buffer.from(model);
    for (const [from, to] of views) {
      offset++;
      const quiet = 1 + (Math.floor(offset / QUIET_EVERY) % (kind.topics - 1));
      const at = kind.hot ? (offset % QUIET_EVERY === 0 ? quiet : 0) : offset % kind.topics;
      const topic = topics[at] as HubTopic;
      const publication = {
        topic: parseTopic(topic.topic),
        key: kind.hasKey ? (`KEY${offset % 5000}` as Key) : null,
        offset,
        publishedAtMs: 1_795_249_101_989 + offset / 10,
        payload: chunk.subarray(from, to),
        payloadKind: kind.kind,
        origin: kind.isFromClient ? { user: `user-${offset % 1000}`, connectionId: `node-1-6b3f2a91.${offset}` } : undefined,
        // New texts, as those that are read from headers.
        ...(kind.hasTags && { tags: { league: `epl-${offset % 100}`, kind: `goal-${offset % 10}` } }),
        ...(kind.hasEventTime && { eventAtMs: 1_795_249_101_989 + offset }),
      };
      const result = toLinkItem(publication, namespace, kind.hasKey ? PATTERN : undefined);
      if (result.kind !== 'item') throw new Error(result.detail);
      topic.publish(result.item);
      published += LINK_ITEM_FORM.bytesOf(result.item);
    }
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  const ofItems = taken() - before - ofTopics;
  const counted = budget.bytes;
  console.log(
    `${kind.name}: counted ${mb(counted)} MB, taken ${mb(ofItems)} MB: ${(ofItems / counted).toFixed(2)}; ${((user + system) / offset).toFixed(2)} µs each`,
  );
  // Until here the items must live.
  for (const topic of topics) topic.close();
}

function mb(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
