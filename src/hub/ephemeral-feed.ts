import type { Bus, Listener, Publication, TopicReceiver } from '../bus/bus.ts';
import type { HubTopic } from './hub-topic.ts';

/** For clients: which subjects the broker has is none of their business. */
const DENIED_REASON = 'the broker does not let this node have the topic: what is published meanwhile is lost';

/** What feeds one open topic of an ephemeral namespace: it is listened to, and has no past. */
export class EphemeralFeed implements TopicReceiver {
  readonly #topic: HubTopic;
  readonly #publish: (topic: HubTopic, publication: Publication) => void;
  readonly #listener: Listener;

  constructor(topic: HubTopic, bus: Pick<Bus, 'listen'>, publish: (topic: HubTopic, publication: Publication) => void) {
    this.#topic = topic;
    this.#publish = publish;
    this.#listener = bus.listen(topic.topic, this);
  }

  /** Resolves when nothing is missed from now on; with false when the broker denies it. */
  get live(): Promise<boolean> {
    return this.#listener.live;
  }

  onPublication(publication: Publication): void {
    this.#publish(this.#topic, publication);
  }

  onDenied(denied: boolean): void {
    this.#topic.setAway(denied ? DENIED_REASON : null);
  }

  stop(): void {
    this.#listener.stop();
  }
}
