import type { Bus, Listener, TopicReceiver } from '../../src/bus/bus.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { ManualLog } from './manual-log.ts';

/** An ephemeral topic that is listened to: the test publishes to its receiver, and says whether it is live. */
export interface FakeListener {
  readonly topic: Topic;
  readonly receiver: TopicReceiver;
  isStopped: boolean;
  becomeLive(live: boolean): void;
}

/** A bus of {@link ManualLog}s, and of ephemeral topics that the test has in hand. What a test needs beyond, it puts in. */
export class FakeBus implements Pick<Bus, 'connected' | 'log' | 'listen'> {
  connected = true;
  readonly logs = new Map<string, ManualLog>();
  readonly listeners: FakeListener[] = [];

  log(namespace: string): ManualLog {
    const known = this.logs.get(namespace) ?? new ManualLog(namespace);
    this.logs.set(namespace, known);
    return known;
  }

  listen(topic: Topic, receiver: TopicReceiver): Listener {
    let becomeLive: (live: boolean) => void = () => undefined;
    const live = new Promise<boolean>((resolve) => {
      becomeLive = resolve;
    });
    const listener: FakeListener = { topic, receiver, isStopped: false, becomeLive };
    this.listeners.push(listener);
    return {
      live,
      stop: () => {
        listener.isStopped = true;
      },
    };
  }

  /** With what else the test gives it. */
  as(more: Partial<Bus> = {}): Bus {
    return Object.assign(this, more) as unknown as Bus;
  }
}
