import type { Msg } from '@nats-io/transport-node';
import type { Listener } from '../bus.ts';
import type { SubscriptionEvents } from './lasting-subscription.ts';

export interface InterestGroupOptions {
  /** Covers every subject of the group: `feed.user.*`. */
  readonly wildcard: string;
  /** Members that have a subscription of their own; more share one for the wildcard. */
  readonly ownMax: number;
  readonly subscribe: (subject: string, events: SubscriptionEvents) => Listener;
}

/**
 * Interest in many subjects of one form: a subscription for each, so that the servers send only what somebody here wants; past a bound, one for all, and
 * what nobody wants is dropped here. It goes back to one for each below half of the bound.
 *
 * While it changes, both are there, and one of them counts: the wildcard's from the moment at which the server has it. A message comes by both in one piece of
 * the stream, except where a read of the socket ends between the two.
 */
export class InterestGroup {
  readonly #options: InterestGroupOptions;
  readonly #members = new Map<string, Member>();
  /** Set while the wildcard is wanted. */
  #all: Listener | undefined;
  /** The wildcard's subscription whose messages count; undefined: those of the members' own do. */
  #counting: Listener | undefined;
  /** The server has denied the wildcard: each has its own, however many. */
  #denied = false;

  constructor(options: InterestGroupOptions) {
    this.#options = options;
  }

  add(subject: string, events: SubscriptionEvents): Listener {
    // A second interest in the same subject is rare: it stays outside.
    if (this.#members.has(subject)) return this.#options.subscribe(subject, events);
    const member = new Member(this, subject, events);
    this.#members.set(subject, member);
    if (this.#counting === undefined || this.#all === undefined) member.own = this.#options.subscribe(subject, member);
    if (this.#members.size > this.#options.ownMax) this.#widen();
    return member;
  }

  /** Do messages that come by members' own subscriptions count now? */
  get ownCount(): boolean {
    return this.#counting === undefined;
  }

  remove(member: Member): void {
    const { subject } = member;
    member.own?.stop();
    if (this.#members.get(subject) !== member) return;
    this.#members.delete(subject);
    if (this.#members.size < this.#options.ownMax / 2) this.#narrow();
  }

  #widen(): void {
    if (this.#all !== undefined || this.#denied) return;
    const all: Listener = this.#options.subscribe(this.#options.wildcard, {
      onMessage: (message) => {
        if (this.#counting === all) this.#members.get(message.subject)?.events.onMessage(message);
      },
      onDenied: (denied) => {
        // Nobody's interest must hang on it.
        this.#denied ||= denied;
        if (denied) this.#narrow();
      },
    });
    this.#all = all;
    void all.live.then((live) => {
      if (this.#all !== all) return;
      if (live) return this.#countOnly(all);
      this.#denied = true;
      this.#narrow();
    });
  }

  #countOnly(all: Listener): void {
    this.#counting = all;
    for (const member of this.#members.values()) {
      member.own?.stop();
      member.own = undefined;
    }
  }

  #narrow(): void {
    const all = this.#all;
    if (all === undefined) return;
    this.#all = undefined;
    if (this.#counting !== all) return all.stop();
    const own = [...this.#members].map(([subject, member]) => {
      member.own = this.#options.subscribe(subject, member);
      return member.own.live;
    });
    void Promise.all(own).then(() => {
      if (this.#counting === all) this.#counting = undefined;
      all.stop();
    });
  }
}

const LIVE = Promise.resolve(true);

/** One subject's receiver, and its own subscription while it has one. One object, since there are very many. */
class Member implements SubscriptionEvents, Listener {
  readonly subject: string;
  readonly events: SubscriptionEvents;
  own: Listener | undefined;
  readonly #group: InterestGroup;

  constructor(group: InterestGroup, subject: string, events: SubscriptionEvents) {
    this.#group = group;
    this.subject = subject;
    this.events = events;
  }

  get live(): Promise<boolean> {
    return this.own?.live ?? LIVE;
  }

  stop(): void {
    this.#group.remove(this);
  }

  onMessage(message: Msg): void {
    if (this.#group.ownCount) this.events.onMessage(message);
  }

  onDenied(denied: boolean): void {
    this.events.onDenied?.(denied);
  }
}
