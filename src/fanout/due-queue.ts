/** A binary heap: what is due first comes out first. */
export class DueQueue<T> {
  readonly #heap: { dueAtMs: number; value: T }[] = [];

  get nextDueAtMs(): number | undefined {
    return this.#heap[0]?.dueAtMs;
  }

  get size(): number {
    return this.#heap.length;
  }

  add(dueAtMs: number, value: T): void {
    const heap = this.#heap;
    let at = heap.length;
    const entry = { dueAtMs, value };
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as (typeof heap)[number];
      if (above.dueAtMs <= dueAtMs) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Takes out everything due by `nowMs`. */
  takeDue(nowMs: number): T[] {
    const due: T[] = [];
    for (let first = this.#heap[0]; first !== undefined && first.dueAtMs <= nowMs; first = this.#heap[0]) {
      due.push(first.value);
      this.#removeFirst();
    }
    return due;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const moved = heap.pop();
    if (heap.length === 0 || moved === undefined) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      const left = heap[child] as typeof moved;
      const right = heap[child + 1];
      if (right !== undefined && right.dueAtMs < left.dueAtMs) child++;
      const smallest = heap[child] as typeof moved;
      if (moved.dueAtMs <= smallest.dueAtMs) break;
      heap[at] = smallest;
      at = child;
    }
    heap[at] = moved;
  }
}
