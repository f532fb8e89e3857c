/** The values of patterns, found by the topics that they match: a topic costs about its tokens and what matches, however many patterns there are. */
export class PatternTrie<T> {
  readonly #root = new TrieNode<T>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param pattern tokens and `*`, joined by dots; `>` at the end is one token or more */
  add(pattern: string, value: T): void {
    const { node, isOpen } = this.#place(pattern);
    if (isOpen) node.beyond.push(value);
    else node.here.push(value);
    this.#size++;
  }

  remove(pattern: string, value: T): void {
    const path = [this.#root];
    const tokens = tokensOf(pattern);
    for (const token of tokens) {
      const next = (path.at(-1) as TrieNode<T>).next.get(token);
      if (next === undefined) return;
      path.push(next);
    }
    const node = path.at(-1) as TrieNode<T>;
    const values = isOpenEnded(pattern) ? node.beyond : node.here;
    const index = values.indexOf(value);
    if (index === -1) return;
    values.splice(index, 1);
    this.#size--;
    // What leads to nothing any more is removed.
    for (let depth = tokens.length; depth > 0 && path[depth]?.isEmpty; depth--) path[depth - 1]?.next.delete(tokens[depth - 1] as string);
  }

  /** The values of all patterns that match the topic. */
  matching(topic: string): T[] {
    const found: T[] = [];
    if (this.#size > 0) collect(this.#root, topic.split('.'), 0, found);
    return found;
  }

  *values(): Iterable<T> {
    yield* valuesIn(this.#root);
  }

  #place(pattern: string): { readonly node: TrieNode<T>; readonly isOpen: boolean } {
    let node = this.#root;
    for (const token of tokensOf(pattern)) {
      let next = node.next.get(token);
      if (next === undefined) {
        next = new TrieNode();
        node.next.set(token, next);
      }
      node = next;
    }
    return { node, isOpen: isOpenEnded(pattern) };
  }
}

class TrieNode<T> {
  /** By token; `*` is one of them. */
  readonly next = new Map<string, TrieNode<T>>();
  /** Of patterns that end here. */
  readonly here: T[] = [];
  /** Of patterns that go on with `>`. */
  readonly beyond: T[] = [];

  get isEmpty(): boolean {
    return this.next.size === 0 && this.here.length === 0 && this.beyond.length === 0;
  }
}

function collect<T>(node: TrieNode<T>, tokens: readonly string[], at: number, found: T[]): void {
  if (at === tokens.length) {
    for (const value of node.here) found.push(value);
    return;
  }
  for (const value of node.beyond) found.push(value);
  const exact = node.next.get(tokens[at] as string);
  if (exact !== undefined) collect(exact, tokens, at + 1, found);
  const any = node.next.get('*');
  if (any !== undefined) collect(any, tokens, at + 1, found);
}

function* valuesIn<T>({ here, beyond, next }: TrieNode<T>): Iterable<T> {
  yield* here;
  yield* beyond;
  for (const node of next.values()) yield* valuesIn(node);
}

function tokensOf(pattern: string): string[] {
  const tokens = pattern.split('.');
  return tokens.at(-1) === '>' ? tokens.slice(0, -1) : tokens;
}

function isOpenEnded(pattern: string): boolean {
  return pattern.endsWith('.>');
}
