import type { Bus, Listener, TopicReceiver } from '../bus/bus.ts';
import type { Publication } from '../bus/publication.ts';
import type { HubTopic } from './hub-topic.ts';

/** For clients, without the broker's subjects: clients need not know them. */
export const DENIED_REASON = 'the broker denies this node the topic: publications in the meantime are lost';

/** The source of one open topic of an ephemeral namespace: a subscription to its subject, without history. */
export class EphemeralFeed implements TopicReceiver {
  readonly #topic: HubTopic;
  readonly #publish: (topic: HubTopic, publication: Publication) => void;
  readonly #listener: Listener;

  constructor(topic: HubTopic, bus: Pick<Bus, 'listen'>, publish: (topic: HubTopic, publication: Publication) => void) {
    this.#topic = topic;
    this.#publish = publish;
    this.#listener = bus.listen(topic.topic, this);
  }

  /** Resolves when nothing is missed from now on; with false if the broker denies it. */
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
