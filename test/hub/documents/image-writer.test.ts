import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ImageStore, StoredImage } from '../../../src/bus/image-store.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { HubDocument } from '../../../src/hub/documents/hub-document.ts';
import { HubDocuments, topicBoundsOf } from '../../../src/hub/documents/hub-documents.ts';
import { decodeImage, encodeImage, type Image } from '../../../src/hub/documents/image.ts';
import { type ImagedTopic, ImageWriter } from '../../../src/hub/documents/image-writer.ts';
import { decodeKeyedImage, decodePart } from '../../../src/hub/documents/keyed-image.ts';
import { packMsgpack, unpackMsgpack } from '../../../src/protocol/msgpack-codec.ts';
import { parseKey, parseTopic, type Topic } from '../../../src/protocol/topic.ts';

const INTERVAL_MS = 30_000;
/** Of the interval, by which nodes wait differently long; and the time to the next look. */
const LATEST_MS = INTERVAL_MS * 1.2 + INTERVAL_MS / 30;
/** Time for some looks. */
const SOON_MS = INTERVAL_MS / 10;
const BOUNDS = { bytesMax: 1_000_000, depthMax: 16, fieldsMax: 1000 };
const { config } = loadConfig({ env: {}, flags: { namespaces: { books: { public: true, state: 'document', slowConsumer: 'conflate' } } } });

/** What is in the log, and what its server does next. */
class Images implements ImageStore {
  bytesMax = 1_040_384;
  stored: StoredImage[] = [];
  readonly parts: ({ readonly topic: Topic; readonly part: number } & StoredImage)[] = [];
  failure: Error | undefined;
  /** Puts that are held back until {@link release}. */
  held: (() => void)[] | undefined;
  readonly asked: number[] = [];
  #offset = 1000;
  #listener: (topic: Topic, image: StoredImage) => void = () => undefined;

  async last(): Promise<StoredImage | undefined> {
    return this.stored.at(-1);
  }

  async putPart(topic: Topic, part: number, payload: Uint8Array): Promise<number> {
    if (this.failure !== undefined) throw this.failure;
    const image = { offset: ++this.#offset, storedAtMs: Date.now(), payload };
    this.parts.push({ topic, part, ...image });
    return image.offset;
  }

  async partAt(topic: Topic, part: number, offset: number): Promise<StoredImage | undefined> {
    return this.parts.find((one) => one.topic === topic && one.part === part && one.offset === offset);
  }

  async put(topic: Topic, payload: Uint8Array, after: number): Promise<number | undefined> {
    this.asked.push(after);
    if (this.held !== undefined) await new Promise<void>((resolve) => this.held?.push(resolve));
    if (this.failure !== undefined) throw this.failure;
    if ((this.stored.at(-1)?.offset ?? 0) !== after) return undefined;
    return this.store(topic, payload).offset;
  }

  store(topic: Topic, payload: Uint8Array, heard = true): StoredImage {
    const image = { offset: ++this.#offset, storedAtMs: Date.now(), payload };
    this.stored.push(image);
    if (heard) this.#listener(topic, image);
    return image;
  }

  onStored(listener: (topic: Topic, image: StoredImage) => void): () => void {
    this.#listener = listener;
    return () => undefined;
  }
}

function setUp() {
  const images = new Images();
  const outcomes: string[] = [];
  const helped: string[] = [];
  const following = { epoch: 'e1', position: 500, live: true, failure: undefined as Error | undefined };
  const writer = new ImageWriter({
    images,
    namespace: { ...config.namespaces.books!, history: { ...config.namespaces.books!.history, maxCount: 100 } },
    intervalMs: INTERVAL_MS,
    following: () => {
      if (following.failure !== undefined) throw following.failure;
      return following.live ? following : undefined;
    },
    logState: async () => ({ firstOffset: 1, lastOffset: 500 }),
    onHelp: (topic) => void helped.push(topic),
    onOutcome: (outcome) => void outcomes.push(outcome),
    nowMs: Date.now,
  });
  let offset = 0;
  const open = (name = 'books.a') => {
    const document = new HubDocument(BOUNDS, 0, true);
    const topic: ImagedTopic = { topic: parseTopic(name), epoch: 'e1', isOpen: true, document };
    const publish = (value: unknown, patch = true, eventAtMs?: number) => {
      const data = Buffer.from(packMsgpack(value));
      const item = { offset: ++offset, key: null, publishedAtMs: Date.now(), data, eventAtMs };
      document.take({ ...item, ...(patch && { patch: true as const }) });
    };
    publish({ whole: true }, false);
    writer.opened(topic, undefined);
    return { topic, publish };
  };
  const written = () => images.stored.map((image) => decodeImage(image) as Image);
  return { images, outcomes, helped, following, writer, open, written };
}

describe('images of a topic with a document for each key are written', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setUpKeyed() {
    const images = new Images();
    const outcomes: string[] = [];
    const { config: keyed } = loadConfig({
      env: {},
      flags: { namespaces: { books: { state: 'keyed', patch: true, slowConsumer: 'conflate', documentFieldsMax: 1000 } } },
    });
    const namespace = keyed.namespaces.books!;
    const writer = new ImageWriter({
      images,
      namespace,
      intervalMs: INTERVAL_MS,
      following: () => ({ epoch: 'e1', position: 500 }),
      logState: async () => ({ firstOffset: 1, lastOffset: 500 }),
      onHelp: () => undefined,
      onOutcome: (outcome) => void outcomes.push(outcome),
      nowMs: Date.now,
    });
    const document = new HubDocuments({ bounds: topicBoundsOf(namespace), removedMax: 10, completeFrom: 0 });
    const topic: ImagedTopic = { topic: parseTopic('books.a'), epoch: 'e1', isOpen: true, document };
    let offset = 0;
    const publish = (key: string, value: unknown) =>
      document.take({ offset: ++offset, key: parseKey(key), publishedAtMs: Date.now(), data: Buffer.from(packMsgpack(value)) });
    for (let n = 0; n < 40; n++) publish(`k${n}`, { n, pad: 'x'.repeat(1000) });
    images.bytesMax = 8192;
    writer.opened(topic, undefined);
    return { images, outcomes, writer, topic, publish };
  }

  it('in parts, and then what names them, all as of one publication', async () => {
    const { images, outcomes, writer } = setUpKeyed();
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(outcomes).toEqual(['stored']);
    const image = decodeKeyedImage(images.stored[0]!);
    expect(image).toMatchObject({ offset: 40, upTo: 500, parts: images.parts.map(({ offset }) => offset) });
    expect(images.parts.length).toBeGreaterThan(4);
    const items = images.parts.flatMap(({ payload, part }) => decodePart(payload, image!, part) ?? []);
    expect(items.map(({ key }) => key).sort()).toEqual(Array.from({ length: 40 }, (_, n) => `k${n}`).sort());
    await writer.stop();
  });

  it('with no part after that of another node, and without an end if a part fails', async () => {
    const { images, outcomes, writer, topic, publish } = setUpKeyed();
    const putPart = images.putPart.bind(images);
    images.putPart = async (of, part, payload) => {
      const at = await putPart(of, part, payload);
      if (part === 1) images.store(topic.topic, Buffer.from('of another node'));
      return at;
    };
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(outcomes).toEqual(['superseded']);
    expect(images.parts).toHaveLength(2);
    expect(images.stored).toHaveLength(1);
    images.putPart = putPart;
    images.failure = new Error('no answer');
    for (let n = 0; n < 40; n++) publish(`k${n}`, { n, pad: 'y'.repeat(1000) });
    await vi.advanceTimersByTimeAsync(LATEST_MS);
    expect(outcomes).toEqual(['superseded', 'failed']);
    expect(images.stored).toHaveLength(1);
    await writer.stop();
  });
});

describe('images of documents are written', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('after a change, with what tells whether they are of the present log, and then not before the interval is over', async () => {
    const { open, written, outcomes, writer } = setUp();
    const { publish } = open();
    await vi.advanceTimersByTimeAsync(LATEST_MS);
    expect(written()).toEqual([]);
    publish({ a: 1 });
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(written()).toMatchObject([{ epoch: 'e1', offset: 2, upTo: 500 }]);
    expect(unpackMsgpack(written()[0]?.document as Uint8Array)).toEqual({ whole: true, a: 1 });
    publish({ a: 2 });
    await vi.advanceTimersByTimeAsync(INTERVAL_MS - SOON_MS);
    expect(written()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(LATEST_MS);
    expect(written()).toMatchObject([{ offset: 2 }, { offset: 3 }]);
    expect(outcomes).toEqual(['stored', 'stored']);
    await writer.stop();
  });

  it('by one node: who sees another’s waits again, and who has not seen it is refused', async () => {
    const { open, images, outcomes, writer } = setUp();
    const { topic, publish } = open();
    const ofOther = { epoch: 'e1', offset: 2, publishedAtMs: 1, upTo: 500, bounds: BOUNDS, document: undefined };
    publish({ a: 1 });
    images.store(topic.topic, encodeImage(ofOther), false);
    await vi.advanceTimersByTimeAsync(LATEST_MS);
    expect(outcomes).toEqual(['superseded']);
    expect(images.asked).toEqual([0]);
    // It has what the other one has, so there is nothing to do until something changes.
    await vi.advanceTimersByTimeAsync(2 * LATEST_MS);
    expect(images.asked).toEqual([0]);
    publish({ a: 2 });
    await vi.advanceTimersByTimeAsync(LATEST_MS);
    expect(images.asked).toEqual([0, 1001]);
    publish({ a: 3 });
    images.store(topic.topic, encodeImage({ ...ofOther, offset: 4 }));
    await vi.advanceTimersByTimeAsync(2 * LATEST_MS);
    expect(images.asked).toHaveLength(2);
    await writer.stop();
  });

  it('again an interval after one could not be made, and those of the other topics too', async () => {
    const { open, following, outcomes, writer } = setUp();
    const [one, two] = [open('books.a'), open('books.b')];
    following.failure = new Error('no position');
    one.publish({ a: 1 });
    two.publish({ a: 1 });
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(outcomes).toEqual(['failed', 'failed']);
    following.failure = undefined;
    await vi.advanceTimersByTimeAsync(INTERVAL_MS + LATEST_MS);
    expect(outcomes.slice(2, 3)).toEqual(['stored']);
    await writer.stop();
  });

  it('with the time at which their last publication happened', async () => {
    const { open, written, writer } = setUp();
    const { publish } = open();
    publish({ a: 1 }, true, 1_699_999_999_000);
    await vi.advanceTimersByTimeAsync(SOON_MS);
    publish({ a: 2 });
    await vi.advanceTimersByTimeAsync(INTERVAL_MS + LATEST_MS);
    expect(written().map(({ eventAtMs }) => eventAtMs)).toEqual([1_699_999_999_000, undefined]);
    await writer.stop();
  });

  it('again an interval after one could not be stored', async () => {
    const { open, images, outcomes, writer } = setUp();
    const { publish } = open();
    images.failure = new Error('no answer');
    publish({ a: 1 });
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(outcomes).toEqual(['failed']);
    images.failure = undefined;
    await vi.advanceTimersByTimeAsync(INTERVAL_MS - SOON_MS);
    expect(images.stored).toEqual([]);
    await vi.advanceTimersByTimeAsync(LATEST_MS);
    expect(images.stored).toHaveLength(1);
    await writer.stop();
  });

  it('sooner, if the log may soon remove what the document is folded from', async () => {
    const { open, written, writer } = setUp();
    const { publish } = open();
    publish({ a: 0 });
    await vi.advanceTimersByTimeAsync(SOON_MS);
    for (let n = 1; n <= 49; n++) publish({ a: n });
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(written()).toHaveLength(1);
    publish({ a: 50 });
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(written()).toMatchObject([{ offset: 2 }, { offset: 52 }]);
    await writer.stop();
  });

  it('never of a document that is not known, of another epoch, or while the log is not followed', async () => {
    const { images, writer, open, following } = setUp();
    const unknown = new HubDocument(BOUNDS, 0, false);
    writer.opened({ topic: parseTopic('books.unknown'), epoch: 'e1', isOpen: true, document: unknown }, undefined);
    const { publish } = open();
    publish({ a: 1 });
    following.live = false;
    await vi.advanceTimersByTimeAsync(LATEST_MS);
    following.live = true;
    following.epoch = 'e2';
    await vi.advanceTimersByTimeAsync(LATEST_MS);
    following.epoch = 'e1';
    following.position = 1;
    await vi.advanceTimersByTimeAsync(LATEST_MS);
    expect(images.asked).toEqual([]);
    await writer.stop();
    expect(images.asked).toEqual([]);
  });

  it('of another node help where the document is not known', async () => {
    const { images, helped, open, writer } = setUp();
    const unknown = parseTopic('books.unknown');
    writer.opened({ topic: unknown, epoch: 'e1', isOpen: true, document: new HubDocument(BOUNDS, 0, false) }, undefined);
    const { topic } = open();
    for (const name of [topic.topic, unknown, parseTopic('books.closed')]) images.store(name, Buffer.from('an image'));
    expect(helped).toEqual([unknown]);
    await writer.stop();
  });

  it('when topics close, as many as 16 MiB at a time, and a stop does not wait for them without end', async () => {
    const { open, images, outcomes, writer } = setUp();
    images.held = [];
    const topics = Array.from({ length: 20 }, (_, n) => {
      const { topic, publish } = open(`books.t${n}`);
      publish({ pad: 'x'.repeat(900_000) });
      return topic;
    });
    for (const topic of topics) writer.closed(topic);
    expect(images.asked).toHaveLength(18);
    expect(outcomes).toEqual(['skipped', 'skipped']);
    let stopped = false;
    void writer.stop().then(() => {
      stopped = true;
    });
    await vi.advanceTimersByTimeAsync(1900);
    expect(stopped).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(stopped).toBe(true);
  });

  it('not, if they are larger than a message may be', async () => {
    const { open, images, outcomes, writer } = setUp();
    images.bytesMax = 1000;
    const { publish } = open();
    publish({ pad: 'x'.repeat(1000) });
    await vi.advanceTimersByTimeAsync(INTERVAL_MS / 2);
    expect(outcomes).toEqual(['too_large']);
    expect(images.asked).toEqual([]);
    await writer.stop();
  });
});
