import type { Selection } from './selection.ts';

interface OpenSelection {
  readonly selection: Selection;
  users: number;
  /** For whose share it counts: one of those that want it. */
  owner: string;
}

/** What the connections of a topic select, each with the number of those that want it. Equal ones share one object, and what it keeps. */
export class OpenSelections {
  readonly #byName = new Map<string, OpenSelection>();

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Selection | undefined {
    return this.#byName.get(name)?.selection;
  }

  /** How many count for this owner. They are few. */
  countOf(owner: string): number {
    let count = 0;
    for (const open of this.#byName.values()) if (open.owner === owner) count++;
    return count;
  }

  add(selection: Selection, owner: string): void {
    const known = this.#byName.get(selection.name);
    if (known === undefined) this.#byName.set(selection.name, { selection, users: 1, owner });
    else known.users++;
  }

  /** @param anyOwner of those that still want it; undefined: not known */
  remove({ name }: Selection, owner: string, anyOwner: () => string | undefined): void {
    const known = this.#byName.get(name);
    if (known === undefined) return;
    if (--known.users === 0) this.#byName.delete(name);
    else if (known.owner === owner) known.owner = anyOwner() ?? owner;
  }
}
