/** Who has a share of what all clients use: a user, or an address for clients without a user. */
export type Owner = string;

/** What all clients of a node share. */
export type Shared = 'topics' | 'patterns' | 'selections';

/** Counts what each owner has, up to a bound. Owners with nothing are not kept, so there are not more entries than things. */
export class Shares {
  readonly max: number;
  readonly #counts = new Map<Owner, number>();

  /** @param max for one owner */
  constructor(max: number) {
    this.max = max;
  }

  /** Owners that have something. */
  get owners(): number {
    return this.#counts.size;
  }

  /** @returns false if the owner has its maximum; otherwise it is counted until {@link giveBack} */
  take(owner: Owner): boolean {
    const count = this.#counts.get(owner) ?? 0;
    if (count >= this.max) return false;
    this.#counts.set(owner, count + 1);
    return true;
  }

  giveBack(owner: Owner): void {
    const left = (this.#counts.get(owner) ?? 0) - 1;
    if (left > 0) this.#counts.set(owner, left);
    else this.#counts.delete(owner);
  }

  /** It counts for the other one from now on, even above its maximum: that one has it already. */
  pass(from: Owner, to: Owner): void {
    this.giveBack(from);
    this.#counts.set(to, (this.#counts.get(to) ?? 0) + 1);
  }
}

/** A text that no address is: a user has no control characters, and an address follows one here. */
export function ownerOf(user: string | null, address: string): Owner {
  return user ?? `\n${address}`;
}
