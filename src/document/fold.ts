import type { PatchPair } from './merge-patch.ts';
import { headBytes, type Size, sizeOf, textBytes } from './size.ts';
import { isMap, put } from './value.ts';

/** A member that is deleted, or was deleted. */
const DELETED = Symbol('deleted');

/**
 * A member: deleted; a value as a whole; or a map. A map is either *known*, so that what was there before does not matter, or only its changes are known.
 * Every member of a known map is known.
 */
type Node = MapNode | unknown;

class MapNode {
  known: boolean;
  readonly members = new Map<string, Node>();
  /** Of its members, at all levels. */
  memberBytes = 0;
  fields = 0;

  constructor(known: boolean) {
    this.known = known;
  }

  get bytes(): number {
    return headBytes(this.members.size) + this.memberBytes;
  }

  set(name: string, node: Node): void {
    const before = this.members.get(name);
    const size = sizeOfNode(node);
    this.memberBytes += size.bytes;
    this.fields += size.fields;
    if (before === undefined) {
      this.memberBytes += textBytes(name);
      this.fields++;
    } else {
      const old = sizeOfNode(before);
      this.memberBytes -= old.bytes;
      this.fields -= old.fields;
    }
    this.members.set(name, node);
  }

  remove(name: string): void {
    const before = this.members.get(name);
    if (before === undefined) return;
    const old = sizeOfNode(before);
    this.memberBytes -= old.bytes + textBytes(name);
    this.fields -= old.fields + 1;
    this.members.delete(name);
  }

  /** Calls back with one of its maps, whose size may change. */
  within(child: MapNode, change: (child: MapNode) => void): void {
    const { bytes, fields } = child;
    change(child);
    this.memberBytes += child.bytes - bytes;
    this.fields += child.fields - fields;
  }
}

/** What one publication does to a document: it is set or removed (undefined), or changed. */
export type DocumentChange = { readonly kind: 'document'; readonly document: unknown } | ({ readonly kind: 'pair' } & PatchPair);

/**
 * What merge patches do, together: a document with everything that changed it, or the changes alone, whatever the document is. It is changed in place: a patch
 * costs its own members, however many there are.
 *
 * Merge patches alone are not closed under composition: `null`, then a map, replaces the map that a document has, and no single patch says that. A pair does: it
 * deletes the member first. A pair needs no base, and leads to the same document from any state between the first change and the last.
 */
export class Fold {
  #root: Node;

  private constructor(root: Node) {
    this.#root = root;
  }

  /** A known document; undefined: there is none. */
  static ofDocument(document: unknown): Fold {
    return new Fold(document === undefined ? DELETED : knownNode(document));
  }

  /** No changes yet, of a document that is not known. */
  static ofChanges(): Fold {
    return new Fold(undefined);
  }

  /** The whole document is known: it was set, or removed. */
  get isWhole(): boolean {
    return this.#root !== undefined && !(this.#root instanceof MapNode && !this.#root.known);
  }

  /** Of the document; of changes, about what their pair takes. */
  get size(): Size {
    return this.#root === undefined ? { bytes: 0, fields: 0 } : sizeOfNode(this.#root);
  }

  add(change: DocumentChange): void {
    if (change.kind === 'document') this.replace(change.document);
    else this.pair(change);
  }

  /** A change before all others. If the whole document is known, it does not matter. */
  addBefore(change: DocumentChange): void {
    if (change.kind === 'document') return this.replaceBefore(change.document);
    this.patchBefore(change.patch);
    if (change.first !== undefined) this.patchBefore(change.first);
  }

  /** Replaces the document. @param document undefined: it is removed */
  replace(document: unknown): void {
    this.#root = document === undefined ? DELETED : knownNode(document);
  }

  /** A change after all others. */
  patch(patch: unknown): void {
    if (!isMap(patch)) return this.replace(patch);
    if (this.#root instanceof MapNode) merge(this.#root, patch);
    else this.#root = nodeOf(patch, this.#root !== undefined);
  }

  pair({ first, patch }: PatchPair): void {
    if (first !== undefined) this.patch(first);
    this.patch(patch);
  }

  /** A change before all others. If the whole document is known, it does not matter. */
  patchBefore(patch: unknown): void {
    if (this.isWhole) return;
    if (this.#root === undefined) return this.patch(patch);
    if (isMap(patch)) mergeBefore(this.#root as MapNode, patch);
    else this.replaceBefore(patch);
  }

  /** The document before all changes. @param document undefined: there was none */
  replaceBefore(document: unknown): void {
    if (this.isWhole) return;
    const changes = this.#root;
    this.replace(document);
    if (changes !== undefined) this.pair(pairOf(changes as MapNode));
  }

  /** The size after this change. Nothing is changed. Only of a known document. */
  sizeAfter(patch: unknown): Size {
    if (!isMap(patch)) return sizeOf(patch);
    return this.#root instanceof MapNode ? sizeAfter(this.#root, patch) : sizeOfNode(nodeOf(patch, true));
  }

  /** The document, if it is known; undefined: there is none. */
  document(): unknown {
    return this.#root === DELETED ? undefined : plainOf(this.#root);
  }

  /** The changes, at least one, if the document is not known. */
  pairOfChanges(): PatchPair {
    return pairOf(this.#root as MapNode);
  }
}

function sizeOfNode(node: Node): Size {
  if (node instanceof MapNode) return node;
  return node === DELETED ? { bytes: 1, fields: 0 } : sizeOf(node);
}

/** A value as it is: nulls in it stay, as in a document that was set as a whole. */
function knownNode(value: unknown): Node {
  if (!isMap(value)) return value;
  const node = new MapNode(true);
  for (const name of Object.keys(value)) node.set(name, knownNode(value[name]));
  return node;
}

/** A value of a patch. @param known nothing was there before */
function nodeOf(value: unknown, known: boolean): Node {
  if (!isMap(value)) return value;
  const node = new MapNode(known);
  merge(node, value);
  return node;
}

function merge(node: MapNode, patch: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(patch)) {
    const value = patch[name];
    const before = node.members.get(name);
    if (value === null) {
      if (node.known) node.remove(name);
      else node.set(name, DELETED);
    } else if (isMap(value) && before instanceof MapNode) node.within(before, (child) => merge(child, value));
    else node.set(name, nodeOf(value, node.known || before !== undefined));
  }
}

/** @param node its changes alone are known */
function mergeBefore(node: MapNode, patch: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(patch)) {
    const value = patch[name];
    const after = node.members.get(name);
    if (after === undefined) node.set(name, value === null ? DELETED : nodeOf(value, false));
    else if (after instanceof MapNode && !after.known) {
      node.within(after, (child) => (isMap(value) ? mergeBefore(child, value) : becomeKnown(child)));
    }
  }
}

/** Nothing was there before. */
function becomeKnown(node: MapNode): void {
  if (node.known) return;
  node.known = true;
  for (const [name, member] of node.members) {
    if (member === DELETED) node.remove(name);
    else if (member instanceof MapNode) node.within(member, becomeKnown);
  }
}

function sizeAfter(node: MapNode, patch: Readonly<Record<string, unknown>>): Size {
  let { memberBytes: bytes, fields } = node;
  let count = node.members.size;
  for (const name of Object.keys(patch)) {
    const value = patch[name];
    const before = node.members.get(name);
    const old = before === undefined ? undefined : sizeOfNode(before);
    if (value === null) {
      if (old === undefined) continue;
      bytes -= old.bytes + textBytes(name);
      fields -= old.fields + 1;
      count--;
      continue;
    }
    const size = isMap(value) && before instanceof MapNode ? sizeAfter(before, value) : sizeOfNode(nodeOf(value, true));
    bytes += size.bytes - (old?.bytes ?? -textBytes(name));
    fields += size.fields - (old?.fields ?? -1);
    if (old === undefined) count++;
  }
  return { bytes: headBytes(count) + bytes, fields };
}

/** Of a known node. */
function plainOf(node: Node): unknown {
  if (!(node instanceof MapNode)) return node;
  const value: Record<string, unknown> = {};
  for (const [name, member] of node.members) put(value, name, plainOf(member));
  return value;
}

function pairOf(node: MapNode): PatchPair {
  const first = deletionsOf(node);
  const patch = setsOf(node);
  return first === undefined ? { patch } : { first, patch };
}

/** What is replaced by a known map: it is deleted first, because a patch would merge the map into what is there. */
function deletionsOf(node: MapNode): unknown {
  let deletions: Record<string, unknown> | undefined;
  for (const [name, member] of node.members) {
    if (!(member instanceof MapNode)) continue;
    const within = member.known ? null : deletionsOf(member);
    if (within === undefined) continue;
    deletions ??= {};
    put(deletions, name, within);
  }
  return deletions;
}

function setsOf(node: MapNode): unknown {
  const sets: Record<string, unknown> = {};
  for (const [name, member] of node.members) {
    if (member === DELETED) put(sets, name, null);
    else put(sets, name, member instanceof MapNode && !member.known ? setsOf(member) : plainOf(member));
  }
  return sets;
}
