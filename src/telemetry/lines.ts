/** Things that wait in lines, one for each owner. The first of each line is taken in turn, so an owner with many things delays mostly itself. */
export class Lines<T> {
  /** The next owner first. */
  readonly #byOwner = new Map<string, Set<T>>();

  get isEmpty(): boolean {
    return this.#byOwner.size === 0;
  }

  owners(): Iterable<readonly [owner: string, things: ReadonlySet<T>]> {
    return this.#byOwner;
  }

  /** At the end of its owner's line. */
  add(owner: string, thing: T): void {
    const line = this.#byOwner.get(owner);
    if (line === undefined) this.#byOwner.set(owner, new Set([thing]));
    else line.add(thing);
  }

  remove(owner: string, thing: T): void {
    const line = this.#byOwner.get(owner);
    if (line?.delete(thing) && line.size === 0) this.#byOwner.delete(owner);
  }

  /** Takes out the next one. Then it is the other owners' turn. */
  take(): T | undefined {
    for (const [owner, line] of this.#byOwner) {
      this.#byOwner.delete(owner);
      for (const thing of line) {
        line.delete(thing);
        if (line.size > 0) this.#byOwner.set(owner, line);
        return thing;
      }
    }
    return undefined;
  }
}
