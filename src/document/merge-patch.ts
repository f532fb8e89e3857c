import { isMap, put } from './value.ts';

/** A change of a document as one step: merge patches (RFC 7396) in this order. A pair is what the composition of any number of merge patches takes. */
export interface PatchPair {
  /** Deletes what `patch` then sets anew. Undefined: nothing to delete. */
  readonly first?: unknown;
  readonly patch: unknown;
}

/**
 * The document after a merge patch. What does not change is shared with `document`, which is not changed; if nothing changes, it is `document` itself.
 * @param document undefined: there is none
 * @param patch a value from a decoder. If it is no map, it is the new document. At its root, null is a value: who removes documents decides that before
 */
export function applyPatch(document: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  let result: Record<string, unknown> = isMap(document) ? (document as Record<string, unknown>) : {};
  const change = () => {
    // A spread defines its members, so a member `__proto__` stays one.
    if (result === document) result = { ...result };
    return result;
  };
  for (const name of Object.keys(patch)) {
    const value = patch[name];
    const has = Object.hasOwn(result, name);
    if (value === null) {
      if (has) delete change()[name];
      continue;
    }
    const before = has ? result[name] : undefined;
    const after = applyPatch(before, value);
    if (!has || after !== before) put(change(), name, after);
  }
  return result;
}

/** The document after both. */
export function applyPair(document: unknown, { first, patch }: PatchPair): unknown {
  return applyPatch(first === undefined ? document : applyPatch(document, first), patch);
}
