import fc, { type Arbitrary } from 'fast-check';

/** Few names, so that changes meet; some that objects inherit. */
export const NAMES = ['a', 'b', 'c', '', 'constructor', '__proto__'] as const;

/** Texts as producers write them: their bytes must not change. */
const texts: Arbitrary<unknown> = fc.constantFrom('1.10', '0.00000001', '1e3', '', 'Ä😀', '007');
const scalars: Arbitrary<unknown> = fc.oneof(texts, fc.constantFrom(0, 1, -1.5, true, false, 2n ** 63n));
const lists: Arbitrary<unknown> = fc.array(fc.oneof(scalars, fc.constant(null), fc.constant({ a: null })), { maxLength: 3 });

function maps(values: (depth: number) => Arbitrary<unknown>, depth: number): Arbitrary<unknown> {
  return fc.array(fc.tuple(fc.constantFrom(...NAMES), values(depth - 1)), { maxLength: 4 }).map((entries) => Object.fromEntries(entries));
}

function values(withNull: boolean): (depth: number) => Arbitrary<unknown> {
  const of = (depth: number): Arbitrary<unknown> => {
    const leaves = fc.oneof(
      { weight: 3, arbitrary: scalars },
      { weight: 1, arbitrary: lists },
      { weight: withNull ? 3 : 1, arbitrary: fc.constant(null) },
    );
    return depth === 0 ? leaves : fc.oneof({ weight: 1, arbitrary: leaves }, { weight: 2, arbitrary: maps(of, depth) });
  };
  return of;
}

/** A merge patch whose root is a map, as nearly all are. */
export const mapPatches: Arbitrary<unknown> = maps(values(true), 3);
/** Any value as a patch, except null, which removes the document. */
export const patches: Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: mapPatches },
  { weight: 1, arbitrary: fc.oneof(scalars, lists) },
);
/** Undefined: there is none. A document that was set as a whole may have nulls. */
export const documents: Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: maps(values(false), 3) },
  { weight: 1, arbitrary: fc.oneof(scalars, lists, fc.constant(undefined)) },
);

/** RFC 7396, as its section 2 writes it. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
  const members = new Map<string, unknown>(isObject ? Object.entries(target as object) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name);
    else members.set(name, mergePatch(members.get(name), value));
  }
  return Object.fromEntries(members);
}

/** For every point of a history: the document there. */
export function statesOf(document: unknown, history: readonly unknown[]): unknown[] {
  const states = [document];
  for (const patch of history) states.push(mergePatch(states.at(-1), patch));
  return states;
}

/** The same text for the same value: the order of members does not count, the kind of every value does. */
export function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (typeof value !== 'object' || value === null)
    return typeof value === 'bigint' ? `${value}n` : Object.is(value, -0) ? '-0' : (JSON.stringify(value) ?? 'undefined');
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${textOf((value as Record<string, unknown>)[name])}`).join()}}`;
}
