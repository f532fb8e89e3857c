import fc, { type Arbitrary } from 'fast-check';
import { msgpackData } from './arbitrary.ts';

/** A value of an application's, and what the other side must get of it. */
export interface Pair {
  readonly value: unknown;
  readonly wire: unknown;
}

const same = (value: unknown): Pair => ({ value, wire: value });

const VIEWS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
  class Samples extends Float64Array {},
  class Bytes extends Uint8Array {
    toJSON() {
      return 'not this';
    }
  },
];

/** Views of every kind, shared or not, from anywhere in a buffer, also of no length: their bytes. */
function views(): Arbitrary<Pair> {
  const what = fc.record({
    View: fc.constantFrom(...VIEWS),
    bytes: fc.uint8Array({ maxLength: 64 }),
    skipped: fc.nat(3),
    shared: fc.boolean(),
    left: fc.nat(2),
  });
  return what.map(({ View, bytes, skipped, shared, left }) => {
    const elementBytes = 'BYTES_PER_ELEMENT' in View ? (View.BYTES_PER_ELEMENT as number) : 1;
    const buffer = shared ? new SharedArrayBuffer(128) : new ArrayBuffer(128);
    const start = skipped * elementBytes;
    const length = Math.max(0, Math.floor(bytes.length / elementBytes) - left);
    new Uint8Array(buffer, start).set(bytes);
    const value = new (View as new (buffer: ArrayBufferLike, start: number, length: number) => ArrayBufferView)(buffer, start, length);
    return { value, wire: Buffer.from(bytes.subarray(0, length * elementBytes)) };
  });
}

function buffers(): Arbitrary<Pair> {
  return fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(ArrayBuffer, SharedArrayBuffer)).map(([bytes, Kind]) => {
    const value = new Kind(bytes.length);
    new Uint8Array(value).set(bytes);
    return { value, wire: Buffer.from(bytes) };
  });
}

class Point {
  readonly x: unknown;
  readonly left = undefined;
  constructor(x: unknown) {
    this.x = x;
  }
  get length(): number {
    return 1;
  }
  scale(): void {}
}

class Money {
  readonly #amount: unknown;
  constructor(amount: unknown) {
    this.#amount = amount;
  }
  toJSON(): unknown {
    return { amount: this.#amount };
  }
}

/** Texts with halves of surrogate pairs in them. */
const halves = fc
  .array(fc.constantFrom('a', '\ud83d', '\ude00', '\ud83d\ude00', 'é'), { maxLength: 80 })
  .map((parts) => ({ value: parts.join(''), wire: Buffer.from(parts.join('')).toString() }));

const leaves: Arbitrary<Pair> = fc.oneof(
  { arbitrary: msgpackData().map(same), weight: 3 },
  views(),
  buffers(),
  halves,
  fc.constantFrom<Pair>(
    same(Number.NaN),
    same(Number.POSITIVE_INFINITY),
    same(2 ** 53),
    same(-(2 ** 64)),
    same(new Date(-1)),
    same(new Date(8.64e15)),
    { value: 5n, wire: 5 },
    { value: -0, wire: 0 },
    { value: new URL('http://a.example/b'), wire: 'http://a.example/b' },
    { value: Object.create(null), wire: {} },
    { value: { toJSON: () => 5 }, wire: 5 },
    // biome-ignore lint/suspicious/noSparseArray: what is tried
    { value: [1, , undefined, 4], wire: [1, null, null, 4] },
    { value: { [Symbol('unseen')]: 1, there: undefined, null: null }, wire: { null: null } },
    { value: { constructor: 1, toJSON: 2, length: 3 }, wire: { constructor: 1, toJSON: 2, length: 3 } },
  ),
);

/** What may be sent, of every kind. */
export function sendable(): Arbitrary<Pair> {
  const { tree } = fc.letrec<{ tree: Pair }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaves,
      fc.array(tie('tree'), { maxLength: 4 }).chain((pairs) =>
        fc.constantFrom<Pair>(
          { value: pairs.map(({ value }) => value), wire: pairs.map(({ wire }) => wire) },
          {
            value: Object.fromEntries(pairs.map(({ value }, i) => [`k${i}`, value])),
            wire: Object.fromEntries(pairs.map(({ wire }, i) => [`k${i}`, wire])),
          },
          {
            value: new Map(pairs.map(({ value }, i) => [`k${i}`, value])),
            wire: Object.fromEntries(pairs.map(({ wire }, i) => [`k${i}`, wire])),
          },
        ),
      ),
      tie('tree').map(({ value, wire }) => ({ value: new Set([value]), wire: [wire] })),
      tie('tree').map(({ value, wire }) => ({ value: new Point(value), wire: { x: wire } })),
      tie('tree').map(({ value, wire }) => ({ value: new Money(value), wire: { amount: wire } })),
    ),
  }));
  return tree;
}

const cycle: { self?: unknown } = {};
cycle.self = cycle;
const loop: unknown[] = [];
loop.push(new Map([['again', loop]]));

/** Values that cannot be sent, at any depth. Each is made by a function, because some can be used only once. */
export const UNSENDABLE: Readonly<Record<string, () => unknown>> = {
  'a function': () => () => 1,
  'a class': () => Point,
  'a symbol': () => Symbol('s'),
  'a bigint above 64 bits': () => 2n ** 64n,
  'a bigint below 64 bits': () => -(2n ** 63n) - 1n,
  'an invalid Date': () => new Date(''),
  'a Map with numbers as keys': () => new Map([[101.5, 3]]),
  'a Map with objects as keys': () => new Map([[{}, 3]]),
  'a key __proto__': () => JSON.parse('{"__proto__":1}'),
  'a Map with a key __proto__': () => new Map([['__proto__', 1]]),
  'an object in itself': () => cycle,
  'a list in a Map in itself': () => loop,
  'a toJSON that always returns another toJSON': () => {
    const endless = () => ({ inner: { toJSON: endless } });
    return endless();
  },
  'a Promise': () => Promise.resolve(1),
  'an Error': () => Object.assign(new Error('no'), { code: 'x' }),
  'a RegExp': () => /x/,
  'a WeakMap': () => new WeakMap(),
  'a generator': () => [].values(),
  'a boxed number': () => Object(7),
  'a boxed text': () => Object('boxed'),
  'a boxed symbol': () => Object(Symbol('s')),
  'a boxed bigint': () => Object(1n),
  'a getter that throws': () => ({
    get bad() {
      throw new RangeError('not now');
    },
  }),
  'a toJSON that throws': () => ({
    toJSON() {
      throw new RangeError('not now');
    },
  }),
  'a proxy whose target is gone': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'a view of a transferred buffer': () => {
    const view = new Uint8Array(8);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    return view;
  },
  'a list with more holes than any message has bytes': () => new Array(4_294_967_295),
  'an object that shares more parts than any message has bytes': () => {
    let value: unknown = 1;
    for (let i = 0; i < 50; i++) value = [value, value];
    return value;
  },
};
