import { type DocumentMap, isMap, put } from './value.ts';

/** Members of a map: those that are selected as a whole (`null`), and those of which a part is. */
export interface FieldTree extends ReadonlyMap<string, FieldTree | null> {}

/** Equal selections make equal trees: in one order, and without paths that another covers. @param paths JSON Pointers (RFC 6901), none to the whole */
export function fieldTree(paths: readonly string[]): FieldTree {
  const root = new Map<string, FieldTree | null>();
  // What covers others is shorter, so it comes first.
  for (const path of [...paths].sort()) add(root, namesOf(path));
  return root;
}

/** The paths of the tree, in its order. */
export function fieldPaths(tree: FieldTree): string[] {
  return [...tree].flatMap(([name, part]) => {
    const path = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return part === null ? [path] : fieldPaths(part).map((rest) => path + rest);
  });
}

/**
 * The selected members of a document. A map that leads to a selected member is always there, empty if need be: so every document has a projection, and a change
 * of other members never changes it. What is no map has no members.
 *
 * @param document undefined: there is none
 */
export function projectDocument(document: unknown, tree: FieldTree): DocumentMap {
  const result: Record<string, unknown> = {};
  for (const [name, part] of tree) {
    const value = memberOf(document, name);
    if (part !== null) put(result, name, projectDocument(value, part));
    else if (value !== undefined) put(result, name, value);
  }
  return result;
}

/**
 * What a merge patch does to the projection, as a merge patch: applied to the projection of any document it makes the projection of that document after the
 * patch. Undefined: it does nothing.
 */
export function projectPatch(patch: unknown, tree: FieldTree): DocumentMap | undefined {
  // The map is removed, or becomes something else.
  if (!isMap(patch)) return deletionsOf(tree);
  let result: Record<string, unknown> | undefined;
  for (const [name, part] of tree) {
    const value = memberOf(patch, name);
    if (value === undefined) continue;
    const change = part === null ? value : projectPatch(value, part);
    if (change === undefined) continue;
    result ??= {};
    put(result, name, change);
  }
  return result;
}

/** A patch of a projection that also makes what leads to selected members, where there was no document. */
export function withWays(patch: DocumentMap | undefined, tree: FieldTree): DocumentMap {
  // A spread defines its members, so a member `__proto__` stays one.
  const result: Record<string, unknown> = { ...patch };
  for (const [name, part] of tree) {
    if (part !== null) put(result, name, withWays(memberOf(patch, name) as DocumentMap | undefined, part));
  }
  return result;
}

function add(tree: Map<string, FieldTree | null>, [name = '', ...rest]: readonly string[]): void {
  const known = tree.get(name);
  if (known === null) return;
  if (rest.length === 0) {
    tree.set(name, null);
    return;
  }
  const part = (known as Map<string, FieldTree | null> | undefined) ?? new Map<string, FieldTree | null>();
  tree.set(name, part);
  add(part, rest);
}

function namesOf(path: string): string[] {
  return path
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function deletionsOf(tree: FieldTree): DocumentMap {
  const deletions: Record<string, unknown> = {};
  for (const [name, part] of tree) put(deletions, name, part === null ? null : deletionsOf(part));
  return deletions;
}

function memberOf(value: unknown, name: string): unknown {
  return isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
