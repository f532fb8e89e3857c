import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { StateOptions } from '../../protocol/feed-state.ts';
import type { Topic } from '../../protocol/topic.ts';
import type { ImageStore, StoredImage } from '../image-store.ts';
import { imagePartSubjectOf, imageSubjectOf } from '../subjects.ts';
import type { Connection } from './connection.ts';
import { isWrongLastSequence, unreachable } from './errors.ts';
import { nanosecondsOf } from './stored-message.ts';
import type { Streams } from './streams.ts';

/** Left of the server's max_payload for headers. */
const HEADERS_BYTES_MAX = 8192;

export interface ImagePlace {
  /** That images are written to. */
  readonly stream: string;
  /** Where they are read. */
  readonly source: { readonly stream: string; readonly streams: Streams };
  readonly options: StateOptions;
  readonly timeoutMs: number;
}

/** The images of a namespace's documents, in its stream. They are read from the leader of the stream that is followed, and written to the origin. */
export class NatsImages implements ImageStore {
  readonly #connection: Connection;
  readonly #place: ImagePlace;
  readonly #js: JetStreamClient;
  readonly #listeners = new Set<(topic: Topic, image: StoredImage) => void>();

  constructor(connection: Connection, place: ImagePlace) {
    this.#connection = connection;
    this.#place = place;
    this.#js = jetstream(connection.nc, { apiPrefix: connection.names.api });
  }

  get bytesMax(): number {
    return (this.#connection.nc.info?.max_payload ?? 1_048_576) - HEADERS_BYTES_MAX;
  }

  async last(topic: Topic): Promise<StoredImage | undefined> {
    const found = await this.#get(topic, { last_by_subj: imageSubjectOf(topic, this.#place.options) });
    return found && { offset: found.seq, storedAtMs: nanosecondsOf(found.timestamp) / 1e6, payload: found.data };
  }

  async partAt(topic: Topic, part: number, offset: number): Promise<StoredImage | undefined> {
    const found = await this.#get(topic, { seq: offset });
    // After a rollback anything may be there.
    if (found?.subject !== imagePartSubjectOf(topic, part)) return undefined;
    return { offset, storedAtMs: nanosecondsOf(found.timestamp) / 1e6, payload: found.data };
  }

  put(topic: Topic, payload: Uint8Array, after: number): Promise<number | undefined> {
    return this.#publish(topic, imageSubjectOf(topic, this.#place.options), payload, after);
  }

  async putPart(topic: Topic, part: number, payload: Uint8Array): Promise<number> {
    return (await this.#publish(topic, imagePartSubjectOf(topic, part), payload)) as number;
  }

  onStored(listener: (topic: Topic, image: StoredImage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The follower has received one. */
  noteStored(topic: Topic, image: StoredImage): void {
    for (const listener of this.#listeners) listener(topic, image);
  }

  async #get(topic: Topic, query: { readonly last_by_subj: string } | { readonly seq: number }) {
    const { stream, streams } = this.#place.source;
    try {
      return (await this.#connection.request(() => streams.manager.streams.getMessage(stream, query))) ?? undefined;
    } catch (error) {
      throw unreachable(`an image of ${topic}`, error, this.#connection.names);
    }
  }

  /** @param after undefined: whatever is there. @returns undefined: something else is the last one */
  async #publish(topic: Topic, subject: string, payload: Uint8Array, after?: number): Promise<number | undefined> {
    const { stream, timeoutMs: timeout } = this.#place;
    try {
      const options = { timeout, ...(after !== undefined && { expect: { lastSubjectSequence: after } }) };
      const ack = await this.#connection.request(() => this.#js.publish(subject, payload, options));
      if (ack.stream !== stream) throw new Error(`stream ${ack.stream} stored it instead`);
      return ack.seq;
    } catch (error) {
      if (after !== undefined && isWrongLastSequence(error)) return undefined;
      throw unreachable(`an image of ${topic}`, error, this.#connection.names);
    }
  }
}
