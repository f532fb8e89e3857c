import type { Msg } from '@nats-io/transport-node';
import type { Listener } from '../bus.ts';
import type { SubscriptionEvents } from './lasting-subscription.ts';

export interface InterestGroupOptions {
  /** Covers every subject of the group: `feed.user.*`. */
  readonly wildcard: string;
  /** Maximum members with a subscription of their own. Above it, all share one for the wildcard. */
  readonly ownMax: number;
  readonly subscribe: (subject: string, events: SubscriptionEvents) => Listener;
}

/**
 * Interest in many subjects of one form. Each subject has a subscription, so that the servers send only what this node needs. Above a limit there is one
 * subscription for all, and unneeded messages are dropped here. Below half of the limit each subject has its own again.
 *
 * During the change both exist, and only one is used: the wildcard's from the moment the server has it. A message arrives by both in one piece of the stream,
 * unless a read of the socket ends between the two.
 */
export class InterestGroup {
  readonly #options: InterestGroupOptions;
  readonly #members = new Map<string, Member>();
  /** Set while the wildcard subscription exists. */
  #all: Listener | undefined;
  /** The wildcard subscription whose messages are used. Undefined: the messages of the members' own subscriptions are used. */
  #counting: Listener | undefined;
  /** The server has denied the wildcard: every member has its own subscription, even above the limit. */
  #denied = false;

  constructor(options: InterestGroupOptions) {
    this.#options = options;
  }

  add(subject: string, events: SubscriptionEvents): Listener {
    // A second interest in the same subject is rare, and stays outside of the group.
    if (this.#members.has(subject)) return this.#options.subscribe(subject, events);
    const member = new Member(this, subject, events);
    this.#members.set(subject, member);
    if (this.#counting === undefined || this.#all === undefined) member.own = this.#options.subscribe(subject, member);
    if (this.#members.size > this.#options.ownMax) this.#widen();
    return member;
  }

  /** True if the messages of the members' own subscriptions are used now. */
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
        // No member may depend on it.
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

/** The receiver of one subject, and its own subscription while it has one. One object instead of two, because there are many. */
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
