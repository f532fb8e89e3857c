import { MESSAGE_DEPTH_MAX } from './depth.ts';
import { messageOf } from './thrown.ts';
import { toWellFormed } from './utf8.ts';

/** A value that no encoding of the protocol can represent. The message says where in the value the problem is, and what is there. */
export class WireValueError extends Error {
  override readonly name = 'WireValueError';
  readonly code = 'bad_value';
}

/**
 * The one rule for what may be sent, for both encodings and both ends: the other side's decoder accepts the result, and returns it unchanged. The result is a
 * copy of plain maps, lists, texts, numbers, booleans, null, 64-bit bigints, Dates and Uint8Arrays, so the MessagePack library gets nothing else. (It would
 * write other views as their element count followed by old content of its buffer.)
 *
 * - Every view (typed arrays, DataView, Buffer) and ArrayBuffer becomes the bytes that it covers, in memory order.
 * - As in JSON: `toJSON` is called if there is one, undefined fields are left out, undefined in a list becomes null, and symbol keys are ignored.
 * - A bigint that a number can represent becomes a number. A Map with texts as keys becomes a map, a Set a list. Half a surrogate pair in a text becomes
 *   U+FFFD.
 * - Refused: functions, symbols, bigints beyond 64 bits, invalid Dates, Maps with other keys, a key `__proto__` (decoders in JavaScript rename it), objects of
 *   other built-in types (a Promise, a RegExp, an Error, a boxed number), what is nested too deeply (so every cycle), and what throws when it is read.
 *
 * @param Refusal the error class to throw: the SDK has its own
 * @param valuesMax maximum number of values in it; each takes at least one byte
 * @throws Refusal
 */
export function toWireValue(
  value: unknown,
  Refusal: new (message: string, options: ErrorOptions) => Error,
  depthMax = MESSAGE_DEPTH_MAX,
  valuesMax = Number.POSITIVE_INFINITY,
): unknown {
  try {
    return new Converter(depthMax, valuesMax).value(value, 0, '');
  } catch (cause) {
    // Our own refusal; or an exception of the application's getter, proxy or toJSON.
    throw new Refusal(`cannot be sent: ${messageOf(cause)}`, { cause });
  }
}

class Converter {
  readonly #depthMax: number;
  readonly #valuesMax: number;
  #values = 0;

  constructor(depthMax: number, valuesMax: number) {
    this.#depthMax = depthMax;
    this.#valuesMax = valuesMax;
  }

  /** @param asked the value comes from a toJSON; as in JSON, its own toJSON is not called */
  value(value: unknown, depth: number, path: string, asked = false): unknown {
    // Lists with holes, and objects that share parts, can have far more values than memory.
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
        if (value < -(2n ** 63n) || value >= 2n ** 64n) refuse(path, 'a bigint beyond 64 bits');
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
    // Not map(), which keeps holes.
    for (let i = 0; i < list.length; i++) copy.push(this.value(list[i], depth + 1, `${path}[${i}]`));
    return copy;
  }

  #map(entries: Iterable<readonly [unknown, unknown]>, depth: number, path: string): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    for (const [key, child] of entries) {
      if (typeof key !== 'string') return refuse(path, 'a Map with a key that is not text');
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
