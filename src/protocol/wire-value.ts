import { MESSAGE_DEPTH_MAX } from './depth.ts';
import { toWellFormed } from './utf8.ts';

export interface WireValueOptions {
  readonly depthMax?: number;
  /** Values that it may have in all; each takes a byte at least. Default: no bound. */
  readonly valuesMax?: number;
}

/** A value that no encoding of the protocol can carry. The message says where in the value, and what is there. */
export class WireValueError extends Error {
  override readonly name = 'WireValueError';
  readonly code = 'bad_value';
}

/**
 * The one rule for what may be sent, for both encodings and both ends: what comes out of here the other side's decoder takes, and gives back as it is here.
 * The result is a copy of plain maps, lists, texts, numbers, booleans, null, 64-bit bigints, Dates and Uint8Arrays, so that the MessagePack library
 * meets nothing else. It writes other views as their element count followed by whatever its buffer held before.
 *
 * - Every view (typed arrays, DataView, Buffer) and ArrayBuffer becomes the bytes that it covers, as they lie in memory.
 * - As in JSON: `toJSON` is asked where there is one, fields that are undefined are left out, undefined in a list is null, symbols as keys are not seen.
 * - A bigint that a number holds becomes one. A Map with texts as keys becomes a map, a Set a list. Half a surrogate pair in a text becomes U+FFFD.
 * - Refused: functions, symbols, bigints beyond 64 bits, invalid Dates, Maps with other keys, a key `__proto__` (decoders in JavaScript rename it),
 *   objects of other built-in kinds (a Promise, a RegExp, an Error, a boxed number), what is nested too deeply (so every cycle), and what throws when it is read.
 *
 * @param Refusal what to throw: the SDK has errors of its own
 * @throws Refusal
 */
export function toWireValue(
  value: unknown,
  Refusal: new (message: string, options: ErrorOptions) => Error,
  options: WireValueOptions = {},
): unknown {
  try {
    return new Converter(options).value(value, 0, '');
  } catch (cause) {
    // A refusal of ours; or a getter, a proxy or a toJSON of the application's has thrown.
    throw new Refusal(`cannot be sent: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

class Converter {
  readonly #depthMax: number;
  readonly #valuesMax: number;
  #values = 0;

  constructor({ depthMax = MESSAGE_DEPTH_MAX, valuesMax = Number.POSITIVE_INFINITY }: WireValueOptions) {
    this.#depthMax = depthMax;
    this.#valuesMax = valuesMax;
  }

  /** @param asked its toJSON gave it: as in JSON, what that gives is not asked again */
  value(value: unknown, depth: number, path: string, asked = false): unknown {
    // Lists with holes and objects that share their parts can have many more values than memory.
    if (++this.#values > this.#valuesMax) refuse(path, `the value number ${this.#values}`);
    switch (typeof value) {
      case 'string':
        return toWellFormed(value);
      case 'number':
      case 'boolean':
        return value;
      case 'undefined':
        return null;
      case 'bigint':
        if (value !== BigInt.asIntN(64, value) && value !== BigInt.asUintN(64, value)) refuse(path, 'a bigint beyond 64 bits');
        return Number.isSafeInteger(Number(value)) ? Number(value) : value;
      case 'object':
        return value === null ? null : this.#object(value, depth, path, asked);
      default:
        return refuse(path, `a ${typeof value}`);
    }
  }

  #object(object: object, depth: number, path: string, asked: boolean): unknown {
    if (ArrayBuffer.isView(object)) return new Uint8Array(object.buffer, object.byteOffset, object.byteLength);
    // The tag is the same for objects of another window or realm, for which instanceof is false.
    const tag = Object.prototype.toString.call(object).slice(8, -1);
    if (tag.endsWith('ArrayBuffer')) return new Uint8Array(object as ArrayBuffer);
    if (tag === 'Date') {
      const timeMs = (object as Date).getTime();
      return Number.isNaN(timeMs) ? refuse(path, 'an invalid Date') : new Date(timeMs);
    }
    const { toJSON } = object as { toJSON?: unknown };
    if (!asked && typeof toJSON === 'function') return this.value(toJSON.call(object), depth, path, true);
    if (depth >= this.#depthMax) refuse(path, `nested deeper than ${this.#depthMax} levels, or in itself`);
    if (Array.isArray(object)) return this.#list(object, depth, path);
    if (tag === 'Set') return this.#list([...(object as Set<unknown>)], depth, path);
    if (tag === 'Map') return this.#map(object as Map<unknown, unknown>, depth, path);
    return tag === 'Object' ? this.#map(Object.entries(object), depth, path) : refuse(path, `an object of kind ${tag}`);
  }

  #list(list: readonly unknown[], depth: number, path: string): unknown[] {
    const copy: unknown[] = [];
    // Not map(): it leaves holes.
    for (let i = 0; i < list.length; i++) copy.push(this.value(list[i], depth + 1, `${path}[${i}]`));
    return copy;
  }

  #map(entries: Iterable<readonly [unknown, unknown]>, depth: number, path: string): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    for (const [key, child] of entries) {
      if (typeof key !== 'string') return refuse(path, 'a Map with a key that is no text');
      const place = path === '' ? key : `${path}.${key}`;
      if (key === '__proto__') refuse(place, 'a key that decoders rename');
      if (child !== undefined) copy[toWellFormed(key)] = this.value(child, depth + 1, place);
    }
    return copy;
  }
}

function refuse(path: string, what: string): never {
  throw new Error(`${path === '' ? '' : `${path} is `}${what}`);
}
