import type { Config } from '../config/schema.ts';
import { shareOf } from '../config/share.ts';

/** Bounds the requests that are read or answered at the same time: their number, also for each address, and their bytes. */
export class InFlightRequests {
  readonly #max: number;
  readonly #perAddressMax: number;
  readonly #bytesMax: number;
  readonly #byAddress = new Map<string, number>();
  #count = 0;
  #bytes = 0;

  constructor({ limits, tuning }: Config) {
    const { requestsInFlightMax, requestBytesInFlightMax } = tuning.http;
    this.#max = requestsInFlightMax;
    this.#perAddressMax = shareOf(limits, requestsInFlightMax);
    this.#bytesMax = requestBytesInFlightMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns why it must be refused with `busy`; undefined: it is counted until {@link release} */
  take(address: string, bytes: number): string | undefined {
    const ofAddress = this.#byAddress.get(address) ?? 0;
    if (this.#count >= this.#max) return `${this.#max} requests are being answered`;
    if (ofAddress >= this.#perAddressMax) return `${this.#perAddressMax} requests of this address are being answered`;
    if (this.#bytes + bytes > this.#bytesMax) return 'the requests that are being answered have reached their limit of bytes';
    this.#count++;
    this.#bytes += bytes;
    this.#byAddress.set(address, ofAddress + 1);
    return undefined;
  }

  release(address: string, bytes: number): void {
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
    this.#count--;
    this.#bytes -= bytes;
  }
}
