import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { Topic } from '../../protocol/topic.ts';
import type { ImageStore, StoredImage } from '../image-store.ts';
import { imageSubjectOf } from '../subjects.ts';
import type { Connection } from './connection.ts';
import { isWrongLastSequence, unreachable } from './errors.ts';
import { nanosecondsOf } from './stored-message.ts';
import type { Streams } from './streams.ts';

/** Left of the server's max_payload for headers. */
const HEADERS_BYTES_MAX = 8192;

/** Where images are read. */
export interface ImageSource {
  readonly stream: string;
  readonly streams: Streams;
}

/** The images of a namespace's documents, in its stream. They are read from the leader of the stream that is followed, and written to the origin. */
export class NatsImages implements ImageStore {
  readonly #connection: Connection;
  readonly #stream: string;
  readonly #source: ImageSource;
  readonly #timeoutMs: number;
  readonly #js: JetStreamClient;
  readonly #listeners = new Set<(topic: Topic, image: StoredImage) => void>();

  /** @param stream that images are written to */
  constructor(connection: Connection, stream: string, source: ImageSource, timeoutMs: number) {
    this.#connection = connection;
    this.#stream = stream;
    this.#source = source;
    this.#timeoutMs = timeoutMs;
    this.#js = jetstream(connection.nc, { apiPrefix: connection.names.api });
  }

  get bytesMax(): number {
    return (this.#connection.nc.info?.max_payload ?? 1_048_576) - HEADERS_BYTES_MAX;
  }

  async last(topic: Topic): Promise<StoredImage | undefined> {
    const { stream, streams } = this.#source;
    try {
      const query = { last_by_subj: imageSubjectOf(topic) };
      const found = await this.#connection.request(() => streams.manager.streams.getMessage(stream, query));
      if (found === null) return undefined;
      return { offset: found.seq, storedAtMs: nanosecondsOf(found.timestamp) / 1e6, payload: found.data };
    } catch (error) {
      throw unreachable(`the last image of ${topic}`, error, this.#connection.names);
    }
  }

  async put(topic: Topic, payload: Uint8Array, after: number): Promise<number | undefined> {
    try {
      const options = { timeout: this.#timeoutMs, expect: { lastSubjectSequence: after } };
      const ack = await this.#connection.request(() => this.#js.publish(imageSubjectOf(topic), payload, options));
      if (ack.stream !== this.#stream) throw new Error(`stream ${ack.stream} stored it instead`);
      return ack.seq;
    } catch (error) {
      if (isWrongLastSequence(error)) return undefined;
      throw unreachable(`an image of ${topic}`, error, this.#connection.names);
    }
  }

  onStored(listener: (topic: Topic, image: StoredImage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The follower has received one. */
  noteStored(topic: Topic, image: StoredImage): void {
    for (const listener of this.#listeners) listener(topic, image);
  }
}
