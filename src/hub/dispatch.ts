import type { HubEnd } from '../link/link.ts';
import { type FeedPlace, type LinkItem, PublicationMessage } from '../link/publication-message.ts';
import type { HubTopic } from './hub-topic.ts';

/**
 * Gives an item to several feeds. A worker gets it once, with the places of all its feeds, so it is carried and encoded once, however many feeds it is for.
 */
export function dispatch(feeds: readonly HubTopic[], item: LinkItem): void {
  if (feeds.length === 1) return (feeds[0] as HubTopic).publish(item);
  const places = new Map<HubEnd, FeedPlace[]>();
  for (const feed of feeds) {
    const prev = feed.take(item);
    if (prev === undefined) continue;
    const place = { topicNumber: feed.number, prev };
    for (const worker of feed.told()) {
      const known = places.get(worker);
      if (known === undefined) places.set(worker, [place]);
      else known.push(place);
    }
  }
  for (const [worker, [first, ...others]] of places) {
    const { topicNumber, prev } = first as FeedPlace;
    worker.send(new PublicationMessage(topicNumber, prev, item, others));
  }
}
