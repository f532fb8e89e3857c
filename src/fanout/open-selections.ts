import type { Selection } from './selection.ts';

/** What the connections of a topic select, each with the number of those that want it. Equal ones share one object, and what it keeps. */
export class OpenSelections {
  readonly #byName = new Map<string, { readonly selection: Selection; users: number }>();

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Selection | undefined {
    return this.#byName.get(name)?.selection;
  }

  add(selection: Selection): void {
    const known = this.#byName.get(selection.name);
    if (known === undefined) this.#byName.set(selection.name, { selection, users: 1 });
    else known.users++;
  }

  remove({ name }: Selection): void {
    const known = this.#byName.get(name);
    if (known !== undefined && --known.users === 0) this.#byName.delete(name);
  }
}
