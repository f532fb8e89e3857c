/** What every publication of a run carries. */
export interface Payload {
  /** No two publications of a run have the same. */
  readonly id: number;
  /** The topic to which it was sent. */
  readonly to: string;
  readonly text?: string;
}

/** What one client may get. */
export interface Receiver {
  readonly name: string;
  /** Its topics. */
  may(topic: string): boolean;
  /** Ids that it has received. */
  readonly ids: Set<number>;
}

const EXAMPLES_MAX = 10;

/** Judges every item that any client received. */
export class ItemChecker {
  received = 0;
  foreign = 0;
  duplicates = 0;
  unclean = 0;
  readonly examples: string[] = [];
  /** Topic by id, of everything received. */
  readonly topics = new Map<number, string>();

  take(receiver: Receiver, topic: string, data: unknown): void {
    this.received++;
    const { id, to, text } = (data ?? {}) as Partial<Payload>;
    if (typeof id !== 'number' || to !== topic || !receiver.may(topic)) return this.#wrong('foreign', receiver, topic, data);
    if (receiver.ids.has(id)) return this.#wrong('duplicates', receiver, topic, data);
    receiver.ids.add(id);
    this.topics.set(id, topic);
    if (text !== undefined && /<\s*script/i.test(text)) this.#wrong('unclean', receiver, topic, data);
  }

  /** @param sent topic by id, of everything that was published @returns how many publications were received that nobody sent there */
  invented(sent: ReadonlyMap<number, string>): number {
    let count = 0;
    for (const [id, topic] of this.topics) if (sent.get(id) !== topic) count++;
    return count;
  }

  #wrong(kind: 'foreign' | 'duplicates' | 'unclean', { name }: Receiver, topic: string, data: unknown): void {
    this[kind]++;
    if (this.examples.length < EXAMPLES_MAX) this.examples.push(`${kind}: ${name} got ${JSON.stringify(data)} on ${topic}`);
  }
}
