/** Runs `work` for all items, `countMax` at a time. `work` does not throw. */
export async function inTurns<T>(items: Iterable<T>, countMax: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = items[Symbol.iterator]();
  const runner = async () => {
    for (let next = left.next(); !next.done; next = left.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: countMax }, runner));
}
