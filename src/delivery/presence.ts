import type { WorkerEnd } from '../link/link.ts';
import type { ToWorker } from '../link/messages.ts';
import type { Member } from '../presence/member.ts';
import type { PresenceState } from '../presence/union.ts';
import type { Encoding } from '../protocol/codec.ts';
import { CODECS } from '../protocol/codecs.ts';
import type { Topic } from '../protocol/topic.ts';
import type { PublishToShard } from '../transport/transport.ts';
import type { AnswerOutbox } from './answer-outbox.ts';
import type { HubClient } from './hub-client.ts';
import { PresenceReports } from './presence-reports.ts';
import { changeMessage, PresenceView } from './presence-view.ts';
import type { Receiver } from './receiver.ts';

const ENCODINGS: readonly Encoding[] = ['msgpack', 'json'];

/** The presence of one connection. */
interface Present {
  member: Member;
  /** Topics in which it is a member. */
  topics: readonly Topic[];
  /** Topics that it watches. */
  views: readonly PresenceView[];
}

/** Shared: most connections watch nothing. */
const NONE: readonly never[] = [];

export interface PresenceOptions {
  readonly link: Pick<WorkerEnd, 'send'>;
  readonly hub: Pick<HubClient, 'presence'>;
  readonly publish: PublishToShard;
  readonly outbox: Pick<AnswerOutbox, 'flush'>;
  readonly isNamed: (topic: Topic) => boolean;
}

/** The presence of this worker: which connections are in which topics, and which watch them. A change is encoded once for all watchers of a topic. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #reports: PresenceReports;
  /** Connections that are in at least one topic with presence. */
  readonly #presents = new Map<Receiver, Present>();
  readonly #views = new Map<Topic, PresenceView>();
  /** Watchers that still need the state of a topic, because their sockets have no room for it. */
  readonly #owed = new Map<Receiver, Set<PresenceView>>();
  /** Receivers seen in `dropped`, where leaving a shard and sending are forbidden. */
  readonly #marked = new Set<Receiver>();
  readonly #asked = new Map<Topic, Promise<PresenceState>>();
  #nextView = 0;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#reports = new PresenceReports(options);
  }

  /** The receiver has subscribed, or changed its subscription, and has got the answer. @param watches it wants presence messages */
  subscribed(receiver: Receiver, topic: Topic, member: Member, watches: boolean): void {
    let present = this.#presents.get(receiver);
    if (present === undefined) {
      present = { member, topics: NONE, views: NONE };
      this.#presents.set(receiver, present);
    }
    if (!present.topics.includes(topic)) {
      // concat keeps the array as small as possible: see Shard.addRecipient.
      present.topics = present.topics.concat(topic);
      this.#reports.came(topic, present.member);
    }
    if (watches) this.#watch(receiver, present, topic);
    else this.#unwatch(receiver, present, topic);
  }

  /** The subscription has ended. */
  ended(receiver: Receiver, topic: Topic): void {
    const present = this.#presents.get(receiver);
    if (present === undefined || !present.topics.includes(topic)) return;
    this.#unwatch(receiver, present, topic);
    present.topics = present.topics.filter((other) => other !== topic);
    this.#reports.went(topic, present.member, false);
    if (present.topics.length === 0) this.#presents.delete(receiver);
  }

  /** The connection is another member from now on: an anonymous connection sent a token. */
  became(receiver: Receiver, member: Member): void {
    const present = this.#presents.get(receiver);
    if (present === undefined || present.member.id === member.id) return;
    for (const topic of present.topics) {
      this.#reports.went(topic, present.member, false);
      this.#reports.came(topic, member);
    }
    present.member = member;
  }

  /** The connection has closed, and its socket has left its shards. One topic a step. */
  *closed(receiver: Receiver): Generator<undefined, void> {
    const present = this.#presents.get(receiver);
    if (present === undefined) return;
    this.#marked.delete(receiver);
    this.#presents.delete(receiver);
    for (const topic of present.topics) {
      this.#reports.went(topic, present.member, true);
      yield;
    }
    for (const view of present.views) {
      this.#forget(receiver, view);
      yield;
    }
  }

  /** The current state of the topic, from the hub: what watchers have may be a second old. @throws ProtocolError `busy`, `unavailable` */
  async state(topic: Topic): Promise<PresenceState> {
    let asked = this.#asked.get(topic);
    if (asked === undefined) {
      // A client that has subscribed must see itself in the answer.
      this.#reports.flush();
      asked = this.#options.hub.presence({ topic }).then(({ state }) => state);
      this.#asked.set(topic, asked);
      const forget = () => this.#asked.delete(topic);
      asked.then(forget, forget);
    }
    return asked;
  }

  receive(message: Extract<ToWorker, { kind: 'presenceState' | 'presenceChanges' }>): void {
    this.#options.outbox.flush();
    if (message.kind === 'presenceState') this.#start(message.topic, message.state);
    else for (const change of message.changes) this.#apply(change);
  }

  /** The socket dropped a message. It may have been a change, so the client's list is invalid. */
  dropped(receiver: Receiver): void {
    const present = this.#presents.get(receiver);
    if (present === undefined || present.views.length === 0 || this.#marked.has(receiver)) return;
    this.#marked.add(receiver);
    setImmediate(() => this.#leaveMarked());
  }

  /** The socket may have room again. */
  drained(receiver: Receiver): void {
    for (const view of this.#owed.get(receiver) ?? []) this.#give(receiver, view);
  }

  /** Called about once a second. */
  everySecond(): void {
    for (const receiver of [...this.#owed.keys()]) this.drained(receiver);
  }

  stop(): void {
    this.#reports.stop();
  }

  #watch(receiver: Receiver, present: Present, topic: Topic): void {
    let view = this.#views.get(topic);
    if (view === undefined) {
      view = new PresenceView(topic, this.#nextView++);
      this.#views.set(topic, view);
      this.#reports.flush();
      this.#options.link.send({ kind: 'presenceWatch', topic });
    }
    if (!view.watchers.has(receiver)) {
      view.watchers.add(receiver);
      present.views = present.views.concat(view);
    }
    this.#owe(receiver, view);
    this.#give(receiver, view);
  }

  #unwatch(receiver: Receiver, present: Present, topic: Topic): void {
    const view = present.views.find((one) => one.topic === topic);
    if (view === undefined) return;
    view.leave(receiver);
    present.views = present.views.filter((other) => other !== view);
    this.#forget(receiver, view);
  }

  #forget(receiver: Receiver, view: PresenceView): void {
    view.forget(receiver);
    this.#settle(receiver, view);
    if (view.watchers.size > 0) return;
    this.#views.delete(view.topic);
    this.#options.link.send({ kind: 'presenceUnwatch', topic: view.topic });
  }

  #start(topic: Topic, state: PresenceState): void {
    const view = this.#views.get(topic);
    if (view === undefined) return;
    view.start(state);
    for (const receiver of view.watchers) {
      this.#owe(receiver, view);
      this.#give(receiver, view);
    }
  }

  #apply(change: Extract<ToWorker, { kind: 'presenceChanges' }>['changes'][number]): void {
    const view = this.#views.get(change.topic);
    if (view === undefined || !view.isKnown) return;
    view.apply(change);
    const message = changeMessage(change);
    for (const encoding of ENCODINGS) {
      const joined = view.joined(encoding);
      if (joined.size === 0) continue;
      const { encode, binary } = CODECS[encoding];
      const frame = encode(message);
      this.#options.publish(view.shard(encoding), frame, binary);
      for (const receiver of view.alone(encoding)) this.#sendAlone(receiver, view, frame);
    }
  }

  /** Sends to a receiver without native publish. */
  #sendAlone(receiver: Receiver, view: PresenceView, frame: Uint8Array): void {
    if (receiver.hasRoom) return receiver.sendEncoded(frame);
    view.leave(receiver);
    this.#owe(receiver, view);
  }

  #owe(receiver: Receiver, view: PresenceView): void {
    const owed = this.#owed.get(receiver);
    if (owed === undefined) this.#owed.set(receiver, new Set([view]));
    else owed.add(view);
  }

  #settle(receiver: Receiver, view: PresenceView): void {
    const owed = this.#owed.get(receiver);
    owed?.delete(view);
    if (owed?.size === 0) this.#owed.delete(receiver);
  }

  /** Sends the state, and joins the receiver to the changes. If the socket has no room, this happens later. */
  #give(receiver: Receiver, view: PresenceView): void {
    if (!view.isKnown || !receiver.isOpen) return;
    // Native publish would overtake what is queued for a full socket.
    if (!receiver.hasRoom || this.#marked.has(receiver)) return view.leave(receiver);
    receiver.sendEncoded(view.frame(receiver.codec.encoding));
    // This message can exceed the limit, which closes the socket.
    if (!receiver.isOpen) return;
    view.join(receiver);
    this.#settle(receiver, view);
  }

  #leaveMarked(): void {
    const marked = [...this.#marked];
    this.#marked.clear();
    for (const receiver of marked) {
      for (const view of this.#presents.get(receiver)?.views ?? []) {
        view.leave(receiver);
        this.#owe(receiver, view);
        this.#give(receiver, view);
      }
    }
  }
}
