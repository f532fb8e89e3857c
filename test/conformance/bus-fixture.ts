import type { Bus } from '../../src/bus/bus.ts';
import type { PublishAck, PublishRequest } from '../../src/bus/publication.ts';
import { parseKey, parseTopic, type Topic } from '../../src/protocol/topic.ts';

/** What a bus implementation brings for the suite to run on it. */
export interface BusHarness {
  /** A started bus with these namespaces (options as in the config) and none else. */
  open(namespaces: Readonly<Record<string, object>>): Promise<Bus>;
  /** Lets the bus's clock go on so far. */
  passTime(ms: number): Promise<void>;
}

let nextNumber = 1;

/** A bus with a namespace of each kind. Every test gets new names, since a log outlives a bus. */
export class BusFixture {
  plain = '';
  keyed = '';
  documents = '';
  /** A document for each key. It keeps two publications of each at least. */
  keyedDocuments = '';
  ephemeral = '';
  ephemeralKeyed = '';
  /** Its topics have two tokens. */
  fixedDepth = '';
  readonly #harness: BusHarness;
  #bus: Bus | undefined;

  constructor(harness: BusHarness) {
    this.#harness = harness;
  }

  get bus(): Bus {
    if (this.#bus === undefined) throw new Error('start the fixture first');
    return this.#bus;
  }

  async start(history: { readonly maxCount?: number; readonly maxAgeMs?: number; readonly maxBytes?: number } = {}): Promise<void> {
    const number = nextNumber++;
    this.plain = `plain${number}`;
    this.keyed = `keyed${number}`;
    this.documents = `documents${number}`;
    this.keyedDocuments = `keyedDocuments${number}`;
    this.ephemeral = `ephemeral${number}`;
    this.ephemeralKeyed = `ephemeralKeyed${number}`;
    this.fixedDepth = `fixedDepth${number}`;
    this.#bus = await this.#harness.open({
      [this.plain]: { history },
      [this.keyed]: { state: 'keyed', history },
      [this.documents]: { state: 'document', history, slowConsumer: 'conflate' },
      [this.keyedDocuments]: {
        state: 'keyed',
        patch: true,
        history: { ...history, maxCount: Math.max(2, history.maxCount ?? 10_000) },
        slowConsumer: 'conflate',
      },
      [this.ephemeral]: { durable: false },
      [this.ephemeralKeyed]: { durable: false, state: 'keyed' },
      [this.fixedDepth]: { topicTokens: 2, history },
    });
  }

  async stop(): Promise<void> {
    await this.#bus?.stop();
    this.#bus = undefined;
  }

  passTime(ms: number): Promise<void> {
    return this.#harness.passTime(ms);
  }

  publish(to: Topic, text: string, more: Partial<PublishRequest> = {}): Promise<PublishAck> {
    return this.bus.publish({ topic: to, key: null, payload: Buffer.from(text), payloadKind: 'json', ...more });
  }

  publishKey(to: Topic, key: string, text: string): Promise<PublishAck> {
    return this.publish(to, text, { key: parseKey(key) });
  }

  /** All at once; the texts are numbers. @returns their offsets */
  async publishMany(to: Topic, count: number, prefix = ''): Promise<number[]> {
    const acks = await Promise.all(Array.from({ length: count }, (_, i) => this.publish(to, `${prefix}${i}`)));
    return acks.map(({ offset }) => offset);
  }
}

export function topicOf(...tokens: string[]): Topic {
  return parseTopic(tokens.join('.'));
}
