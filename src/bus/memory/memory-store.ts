import type { Config } from '../../config/schema.ts';
import { BusError } from '../bus-error.ts';
import type { Publication } from '../publication.ts';
import { DedupeWindow } from './dedupe-window.ts';
import { NamespaceStore } from './namespace-store.ts';

export interface Appended {
  readonly offset: number;
  /** undefined: a duplicate of the publication at `offset`. */
  readonly publication: Publication | undefined;
}

/** The logs of all durable namespaces, with one byte limit for all of them. Pure: the time is passed in. */
export class MemoryStore {
  readonly #bytesMax: number;
  readonly #namespaces = new Map<string, { readonly store: NamespaceStore; readonly dedupe: DedupeWindow }>();

  constructor({ namespaces, memory, tuning }: Config) {
    this.#bytesMax = memory.maxBytes;
    for (const [name, options] of Object.entries(namespaces)) {
      if (!options.durable) continue;
      const dedupe = new DedupeWindow(tuning.memory.dedupeWindowMs, tuning.memory.dedupeIdsMax);
      this.#namespaces.set(name, { store: new NamespaceStore(options), dedupe });
    }
  }

  /** The namespace's store, after removing what has expired. @throws BusError `unknown_namespace` */
  namespace(name: string, nowMs: number): NamespaceStore {
    const { store } = this.#namespace(name);
    store.expire(nowMs);
    return store;
  }

  append(namespace: string, draft: Omit<Publication, 'offset'>, messageId: string | undefined): Appended {
    const nowMs = draft.publishedAtMs;
    const { store, dedupe } = this.#namespace(namespace);
    const first = messageId === undefined ? undefined : dedupe.find(messageId, nowMs);
    if (first !== undefined) return { offset: first, publication: undefined };
    store.expire(nowMs);
    const publication = store.append(draft);
    if (messageId !== undefined) dedupe.add(messageId, publication.offset, nowMs);
    this.#keepBytesMax();
    return { offset: publication.offset, publication };
  }

  #namespace(name: string): { readonly store: NamespaceStore; readonly dedupe: DedupeWindow } {
    const namespace = this.#namespaces.get(name);
    if (namespace === undefined) throw new BusError('unknown_namespace', `${name} is not a durable namespace`);
    return namespace;
  }

  /** Finds the namespace with the oldest publication by a linear search, because there are few (configured) namespaces. */
  #keepBytesMax(): void {
    const stores = [...this.#namespaces.values()].map(({ store }) => store);
    let bytes = stores.reduce((sum, store) => sum + store.bytes, 0);
    while (bytes > this.#bytesMax) {
      const oldest = stores.reduce((a, b) =>
        (b.oldestAtMs ?? Number.POSITIVE_INFINITY) < (a.oldestAtMs ?? Number.POSITIVE_INFINITY) ? b : a,
      );
      bytes -= oldest.bytes;
      oldest.removeOldest();
      bytes += oldest.bytes;
    }
  }
}
