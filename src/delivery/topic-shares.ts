import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import { shareOf } from '../config/share.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { type FeedName, isPattern } from '../protocol/feed-name.ts';
import { namespaceOf } from '../protocol/topic.ts';
import { type Owner, type Shared, Shares } from './shares.ts';

/**
 * What each owner has of the open topics and patterns of the node, so that nobody uses up all of them. An open topic counts for one of those who follow it: at
 * first for who opened it.
 */
export class TopicShares {
  readonly #config: Config;
  readonly #refused: (shared: Shared) => void;
  readonly #topics: Shares;
  readonly #patterns: Shares;
  readonly #patternsByNamespace = new Map<string, Shares>();

  constructor(config: Config, refused: (shared: Shared) => void) {
    const { topicsPerNodeMax, patternsPerNodeMax } = config.limits;
    this.#config = config;
    this.#refused = refused;
    this.#topics = this.#shares(topicsPerNodeMax);
    this.#patterns = this.#shares(patternsPerNodeMax);
  }

  /** Owners that have something. */
  get owners(): number {
    return this.#topics.owners;
  }

  /** Counts a topic that is to be opened until {@link giveBack}. @throws ProtocolError `busy`, `too_many_patterns` */
  take(topic: FeedName, owner: Owner): void {
    const taken: Shares[] = [];
    for (const shares of this.#of(topic)) {
      if (shares.take(owner)) {
        taken.push(shares);
        continue;
      }
      for (const other of taken) other.giveBack(owner);
      const shared = shares === this.#topics ? 'topics' : 'patterns';
      this.#refused(shared);
      const code = shared === 'topics' ? 'busy' : 'too_many_patterns';
      throw new ProtocolError(code, `you have ${shares.max} ${shared} open, your share (limits.sharePercentMax) of those of this node`);
    }
  }

  giveBack(topic: FeedName, owner: Owner): void {
    for (const shares of this.#of(topic)) shares.giveBack(owner);
  }

  /** It counts for somebody else who follows it. */
  pass(topic: FeedName, from: Owner, to: Owner): void {
    for (const shares of this.#of(topic)) shares.pass(from, to);
  }

  #of(topic: FeedName): readonly Shares[] {
    return isPattern(topic) ? [this.#topics, this.#patterns, this.#ofNamespace(namespaceOf(topic))] : [this.#topics];
  }

  #ofNamespace(namespace: string): Shares {
    const known = this.#patternsByNamespace.get(namespace);
    if (known !== undefined) return known;
    const shares = this.#shares(namespaceOptions(this.#config, namespace)?.patternsMax ?? 0);
    this.#patternsByNamespace.set(namespace, shares);
    return shares;
  }

  /** The limits are those of the node: each worker has an equal share. */
  #shares(max: number): Shares {
    const { limits, workers } = this.#config;
    return new Shares(Math.ceil(shareOf(limits, max) / Math.max(1, workers)));
  }
}
