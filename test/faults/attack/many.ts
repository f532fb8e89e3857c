/** An array of so many commands. */
export function many(count: number, command: (id: number) => object): object[] {
  return Array.from({ length: count }, (_, id) => command(id));
}
