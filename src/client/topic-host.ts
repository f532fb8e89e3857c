import type { History } from './item.ts';
import type { Presence } from './presence-types.ts';
import type { PublishAck, PublishOptions } from './publisher.ts';
import type { Subscription } from './subscription.ts';
import type { HistoryOptions, SubscribeOptions, SubscriptionHost } from './topic-types.ts';

/** What topics and their subscriptions need of their client. */
export interface TopicHost extends SubscriptionHost {
  readonly client: {
    publish(topic: string, data: unknown, options?: PublishOptions): Promise<PublishAck>;
    history<T>(topic: string, options?: HistoryOptions): Promise<History<T>>;
    presence(topic: string): Promise<Presence>;
  };
  /** @param options undefined: those of the existing subscription. @throws InvalidError if it is subscribed with other options */
  join(name: string, options: SubscribeOptions | undefined): Subscription;
}
