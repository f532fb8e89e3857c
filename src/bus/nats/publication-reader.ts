import type { Msg } from '@nats-io/transport-node';
import type { Topic } from '../../protocol/topic.ts';
import type { StoredImage } from '../image-store.ts';
import type { Publication } from '../publication.ts';
import { type Address, imageTopicOf, isImageSubject, parseSubject, type SubjectFault, type SubjectOptions } from '../subjects.ts';
import type { Delivery } from './delivery.ts';
import { readHeaders } from './headers.ts';
import type { OriginSignatures } from './origin-signatures.ts';

export interface PublicationReaderOptions extends SubjectOptions {
  readonly signatures: OriginSignatures;
  /** Subjects whose addresses are remembered, so that a busy one is parsed once. Above it all are forgotten. */
  readonly subjectsMax: number;
}

type Message = Pick<Msg, 'subject' | 'headers' | 'data'>;

export interface ReaderEvents {
  /** Called for every message that is not a valid publication. */
  onFault(subject: string, fault: SubjectFault, offset: number): void;
  /** Called for every image of a document in the log. */
  onImage?(topic: Topic, image: StoredImage): void;
  /** An origin was not signed: the publication has none. */
  onForged?(): void;
}

/** Converts NATS messages to publications of one namespace. */
export class PublicationReader {
  readonly #options: PublicationReaderOptions;
  readonly #events: ReaderEvents;
  readonly #addresses = new Map<string, Address>();

  constructor(options: PublicationReaderOptions, events: ReaderEvents) {
    this.#options = options;
    this.#events = events;
  }

  get rememberedCount(): number {
    return this.#addresses.size;
  }

  /** @returns undefined if the message is not a valid publication of the namespace, or is an image */
  fromLog(message: Message, { streamSeq, timestampNs }: Delivery): Publication | undefined {
    if (isImageSubject(message.subject)) return this.#image(message, streamSeq, timestampNs / 1e6);
    return this.#read(message, streamSeq, timestampNs / 1e6);
  }

  /** An ephemeral publication. */
  fromCore(message: Message, nowMs: number): Publication | undefined {
    return this.#read(message, 0, nowMs);
  }

  #read(message: Message, offset: number, publishedAtMs: number): Publication | undefined {
    const address = this.#address(message.subject);
    if (typeof address === 'string') return this.#refuse(message, address, offset);
    const { payloadKind, origin, originForged, key, image, noEcho, volatile, eventAtMs, tags } = readHeaders(
      message,
      this.#options.signatures,
    );
    if (key !== undefined && key !== address.key?.trim()) return this.#refuse(message, 'key_mismatch', offset);
    if (originForged) this.#events.onForged?.();
    return {
      topic: address.topic,
      key: address.key,
      offset,
      publishedAtMs,
      payload: message.data,
      payloadKind,
      origin,
      ...(image && { image }),
      ...(noEcho && { noEcho }),
      ...(volatile && { volatile }),
      ...(eventAtMs !== undefined && { eventAtMs }),
      ...(tags !== undefined && { tags }),
    };
  }

  #image({ subject, data }: Message, offset: number, storedAtMs: number): undefined {
    const topic = imageTopicOf(subject, this.#options);
    if (topic !== undefined) this.#events.onImage?.(topic, { offset, storedAtMs, payload: data });
    return undefined;
  }

  #refuse({ subject }: Message, fault: SubjectFault, offset: number): undefined {
    this.#events.onFault(subject, fault, offset);
    return undefined;
  }

  #address(subject: string): Address | Exclude<SubjectFault, 'key_mismatch'> {
    const known = this.#addresses.get(subject);
    if (known !== undefined) return known;
    const address = parseSubject(subject, this.#options);
    if (typeof address === 'string') return address;
    if (this.#addresses.size >= this.#options.subjectsMax) this.#addresses.clear();
    this.#addresses.set(subject, address);
    return address;
  }
}
