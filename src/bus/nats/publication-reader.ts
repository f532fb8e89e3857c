import type { Msg } from '@nats-io/transport-node';
import type { BusCounters, Publication } from '../bus.ts';
import { type Address, parseSubject } from '../subjects.ts';
import type { Delivery } from './delivery.ts';
import { readHeaders } from './headers.ts';

/** Subjects whose addresses are remembered, so that a busy one is parsed once; about 200 bytes each. All are forgotten when there are more. */
const ADDRESSES_MAX = 16_384;

/** Makes publications of one namespace out of NATS messages. */
export class PublicationReader {
  readonly #keyed: boolean;
  readonly #counters: Pick<BusCounters, 'skippedMessages'>;
  readonly #addressesMax: number;
  readonly #addresses = new Map<string, Address>();

  constructor(keyed: boolean, counters: Pick<BusCounters, 'skippedMessages'>, addressesMax = ADDRESSES_MAX) {
    this.#keyed = keyed;
    this.#counters = counters;
    this.#addressesMax = addressesMax;
  }

  get rememberedCount(): number {
    return this.#addresses.size;
  }

  /** @returns undefined when the subject is no topic of the namespace; counted */
  fromLog(message: Pick<Msg, 'subject' | 'headers' | 'data'>, { streamSeq, timestampNs }: Delivery): Publication | undefined {
    return this.#read(message, streamSeq, timestampNs / 1e6);
  }

  /** An ephemeral publication. */
  fromCore(message: Pick<Msg, 'subject' | 'headers' | 'data'>, nowMs: number): Publication | undefined {
    return this.#read(message, 0, nowMs);
  }

  #read(message: Pick<Msg, 'subject' | 'headers' | 'data'>, offset: number, publishedAtMs: number): Publication | undefined {
    const address = this.#address(message.subject);
    if (address === undefined) {
      this.#counters.skippedMessages++;
      return undefined;
    }
    const { payloadKind, origin } = readHeaders(message);
    return { topic: address.topic, key: address.key, offset, publishedAtMs, payload: message.data, payloadKind, origin };
  }

  #address(subject: string): Address | undefined {
    const known = this.#addresses.get(subject);
    if (known !== undefined) return known;
    const address = parseSubject(subject, this.#keyed);
    if (address === undefined) return undefined;
    if (this.#addresses.size >= this.#addressesMax) this.#addresses.clear();
    this.#addresses.set(subject, address);
    return address;
  }
}
