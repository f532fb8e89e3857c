import type { TagFilterOf } from '../protocol/tags.ts';
import type { FanoutItem } from './item.ts';
import { latestMatching } from './range.ts';
import type { Selection } from './selection.ts';
import type { TopicFeed } from './topic-feed.ts';

/** Publications that have, for each of some names, one of some texts as a tag. */
export class TagFilter implements Selection {
  readonly name: string;
  readonly isOfDocument = false;
  readonly #wanted: readonly (readonly [string, ReadonlySet<string>])[];
  readonly #matches = (item: FanoutItem) => this.matches(item);

  constructor(filter: TagFilterOf) {
    const wanted = Object.keys(filter)
      .sort()
      .map((name) => [name, new Set([filter[name] ?? []].flat().sort())] as const);
    this.#wanted = wanted;
    this.name = JSON.stringify(wanted.map(([name, values]) => ({ [name]: [...values] })));
  }

  matches({ tags }: FanoutItem): boolean {
    return tags !== undefined && this.#wanted.every(([name, values]) => Object.hasOwn(tags, name) && values.has(tags[name] as string));
  }

  select(items: readonly FanoutItem[]): readonly FanoutItem[] {
    return items.filter(this.#matches);
  }

  /** Of every key the latest that matches, also where a later one does not. */
  latest(feed: TopicFeed, from: number): readonly FanoutItem[] {
    return latestMatching(feed, from, this.#matches);
  }
}
