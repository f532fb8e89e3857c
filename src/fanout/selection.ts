import { type FieldTree, fieldPaths, fieldTree, projectDocument, projectPatch, withWays } from '../document/field-tree.ts';
import { packMsgpack, unpackMsgpack } from '../protocol/msgpack-codec.ts';
import type { FanoutItem } from './item.ts';
import type { TopicFeed } from './topic-feed.ts';

/**
 * What members want of the items of a topic. Whatever the topic gives them (live, recovered, its state, a rate class) is given to them through it, so positions
 * and proofs are those of the topic.
 */
export interface Selection {
  /** Equal selections have equal names. */
  readonly name: string;
  /** It takes the state to begin with. */
  readonly isOfDocument: boolean;
  /** The items that are left, as they are given. @param hasDocument before the first of them there was a document, for sure */
  select(items: readonly FanoutItem[], hasDocument: boolean): readonly FanoutItem[];
  /** What a rate class is due of the items from this sequence on, before {@link select}. */
  latest(feed: TopicFeed, from: number): readonly FanoutItem[];
}

/** Projections that are kept: variants that differ in encoding or rate want the same. */
export const PROJECTIONS_KEPT_MAX = 64;

/** Members of a document. */
export class FieldSelection implements Selection {
  readonly name: string;
  readonly isOfDocument = true;
  readonly #tree: FieldTree;
  /** Null: nothing of it is left. The oldest go first. */
  readonly #kept = new Map<FanoutItem, FanoutItem | null>();

  /** @param paths JSON Pointers, none to the whole */
  constructor(paths: readonly string[]) {
    this.#tree = fieldTree(paths);
    this.name = JSON.stringify(fieldPaths(this.#tree));
  }

  /** Number of projections that are kept. */
  get kept(): number {
    return this.#kept.size;
  }

  latest({ latest, ring }: TopicFeed, from: number): readonly FanoutItem[] {
    return latest.between(from, ring.next);
  }

  /** A patch that changes nothing of the selection is left out, unless it may have begun the document. */
  select(items: readonly FanoutItem[], hasDocument: boolean): readonly FanoutItem[] {
    const selected: FanoutItem[] = [];
    let mayBegin = !hasDocument;
    for (const item of items) {
      const projection = item.isPatch && mayBegin ? this.#beginning(item) : this.#projection(item);
      if (projection !== undefined) selected.push(projection);
      mayBegin = item.removed;
    }
    return selected;
  }

  #projection(item: FanoutItem): FanoutItem | undefined {
    if (item.removed) return item;
    let projection = this.#kept.get(item);
    if (projection === undefined) {
      projection = (item.isPatch ? this.#patch(item) : this.#whole(item)) ?? null;
      const [oldest] = this.#kept.size >= PROJECTIONS_KEPT_MAX ? this.#kept.keys() : [];
      if (oldest !== undefined) this.#kept.delete(oldest);
      this.#kept.set(item, projection);
    }
    return projection ?? undefined;
  }

  #whole(item: FanoutItem): FanoutItem {
    return item.withData(packMsgpack(projectDocument(unpackMsgpack(item.data), this.#tree)));
  }

  #patch(item: FanoutItem): FanoutItem | undefined {
    const first = item.first && projectPatch(unpackMsgpack(item.first), this.#tree);
    const patch = projectPatch(unpackMsgpack(item.data), this.#tree);
    if (first === undefined) return patch && item.withPatch(packMsgpack(patch));
    // One after the other: deletions alone are a patch.
    if (patch === undefined) return item.withPatch(packMsgpack(first));
    return item.withPatch(packMsgpack(patch), packMsgpack(first));
  }

  /** A patch where there may have been no document: the projection has what leads to its members from now on. */
  #beginning(item: FanoutItem): FanoutItem {
    const first = item.first && projectPatch(unpackMsgpack(item.first), this.#tree);
    const patch = withWays(projectPatch(unpackMsgpack(item.data), this.#tree), this.#tree);
    return item.withPatch(packMsgpack(patch), first && packMsgpack(first));
  }
}
