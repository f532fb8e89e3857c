import type { Topic } from '../protocol/topic.ts';
import type { MemberBudget } from './budget.ts';
import { type PresenceMessage, partsOf } from './messages.ts';
import { PeerTopics, TopicAllowance } from './peer-topics.ts';
import type { TopicChange } from './topic-change.ts';
import type { Tracker } from './tracker.ts';
import type { PresenceRules, Union } from './union.ts';

/** Interval between two messages of a node. It sends one even if nothing changed. */
export const TELL_MS = 1000;
/** A node is gone after this time without a message: three in a row are missing. */
export const SILENT_MS = 3500;
/** Pause before a node's state is requested again. It doubles, up to the maximum. */
const ASK_MS = 1000;
const ASK_MAX_MS = 8000;
/** Pause before the first request to a new peer: {@link Exchange.start} may already have asked it. */
const MET_ASK_MS = 500;
/** If two steps are further apart, this process was blocked and received nothing. */
const LATE_MS = 1000;

interface Peer {
  readonly topics: PeerTopics;
  /** Sequence number of the last changes that were applied. */
  sequence: number;
  /** No message of this peer is missing. */
  inStep: boolean;
  heardAtMs: number;
  askAgainAtMs: number;
  askPauseMs: number;
  /** The peer is gone. Its members are removed at this time. */
  clearAtMs: number | undefined;
  /** The parts of its state that have arrived. */
  state: { readonly sequence: number; readonly parts: (readonly TopicChange[] | undefined)[] } | undefined;
}

export interface ExchangeOptions {
  /** Unique id of this run of the node. */
  readonly instance: string;
  readonly tracker: Tracker;
  readonly union: Union;
  readonly budget: MemberBudget;
  readonly rulesOf: (topic: Topic) => PresenceRules | undefined;
  readonly graceMs: number;
  readonly peersMax: number;
  /** Maximum topics of all other nodes together. */
  readonly topicsMax: number;
  /** Delivers at most once: a gap in the sequence numbers shows a lost message. @param to an instance; undefined: all nodes. */
  readonly send: (message: PresenceMessage, to?: string) => void;
}

export interface ExchangeCounters {
  /** Times that a message of another node was missing and its state was requested. */
  gaps: number;
  statesSent: number;
}

/**
 * Exchanges presence with the other nodes. Every node sends its changes once a second, under a sequence number that rises by one. If nothing changed, it
 * sends the last number. A node that misses a number, or has just started, requests the whole state. So all nodes converge, even if messages are lost.
 */
export class Exchange {
  readonly counters: ExchangeCounters = { gaps: 0, statesSent: 0 };
  readonly #options: ExchangeOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #allowance: TopicAllowance;
  #sequence = 0;
  #steppedAtMs: number | undefined;
  /** Nodes that requested the state of this node. */
  readonly #asking = new Set<string>();
  #connected = true;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#allowance = new TopicAllowance(options.topicsMax);
  }

  get peers(): number {
    return this.#peers.size;
  }

  get peerTopics(): Pick<TopicAllowance, 'taken' | 'refused'> {
    return this.#allowance;
  }

  /** Requests the state of all other nodes. */
  start(): void {
    this.#options.send({ from: this.#options.instance, kind: 'ask' });
  }

  /** Sends the changes to the other nodes. Called every {@link TELL_MS}. */
  tell(): void {
    if (!this.#connected) return;
    for (const changes of partsOf(this.#options.tracker.takeChanges())) {
      if (changes.length > 0) this.#sequence++;
      this.#options.send({ from: this.#options.instance, kind: 'changes', sequence: this.#sequence, changes });
    }
  }

  /** Answers the requests, and checks which nodes are gone. Called several times a second. */
  step(nowMs: number): void {
    const sinceMs = nowMs - (this.#steppedAtMs ?? nowMs);
    this.#steppedAtMs = nowMs;
    if (!this.#connected) return;
    this.#answer();
    for (const [instance, peer] of this.#peers) {
      if (sinceMs > LATE_MS) peer.heardAtMs += sinceMs;
      this.#watch(instance, peer, nowMs);
    }
  }

  /** While the bus is disconnected, no messages arrive, and the known state stays. */
  setConnected(connected: boolean, nowMs: number): void {
    this.#connected = connected;
    if (!connected) return;
    for (const peer of this.#peers.values()) peer.heardAtMs = nowMs;
    this.start();
  }

  /** The node stops. It tells the others, so that they need not wait for the timeout. */
  stop(): void {
    this.#options.send({ from: this.#options.instance, kind: 'bye' });
  }

  receive(message: PresenceMessage, nowMs: number): void {
    const { from } = message;
    if (from === this.#options.instance) return;
    if (message.kind === 'ask') {
      // Requests that come at the same time are answered together: the answer is built once.
      if (this.#asking.size < this.#options.peersMax) this.#asking.add(from);
      return;
    }
    if (message.kind === 'bye') {
      const leaving = this.#peers.get(from);
      if (leaving !== undefined) this.#gone(leaving, nowMs);
      return;
    }
    const peer = this.#peers.get(from) ?? this.#meet(from, nowMs);
    if (peer === undefined) return;
    peer.heardAtMs = nowMs;
    peer.clearAtMs = undefined;
    if (message.kind === 'state') this.#takeState(peer, message, nowMs);
    else this.#takeChanges(from, peer, message, nowMs);
  }

  #answer(): void {
    if (this.#asking.size === 0) return;
    const { instance, tracker, send } = this.#options;
    const parts = partsOf(tracker.all());
    for (const to of this.#asking) {
      for (const [part, changes] of parts.entries()) {
        send({ from: instance, kind: 'state', sequence: this.#sequence, part, parts: parts.length, changes }, to);
      }
      this.counters.statesSent++;
    }
    this.#asking.clear();
  }

  /** Adds a new peer. A node that has just started sent nothing before its first number. */
  #meet(from: string, nowMs: number): Peer | undefined {
    if (this.#peers.size >= this.#options.peersMax) return undefined;
    const { union, budget, rulesOf } = this.#options;
    const peer: Peer = {
      topics: new PeerTopics({ union, budget, rulesOf, topics: this.#allowance }),
      sequence: 0,
      inStep: true,
      heardAtMs: nowMs,
      askAgainAtMs: nowMs + MET_ASK_MS,
      askPauseMs: ASK_MS,
      clearAtMs: undefined,
      state: undefined,
    };
    this.#peers.set(from, peer);
    return peer;
  }

  #takeChanges(from: string, peer: Peer, { sequence, changes }: Extract<PresenceMessage, { kind: 'changes' }>, nowMs: number): void {
    if (peer.inStep && changes.length > 0 && sequence === peer.sequence + 1) {
      peer.sequence = sequence;
      for (const change of changes) peer.topics.apply(change, nowMs);
      return;
    }
    // A message that comes twice or late is already known.
    if (peer.inStep && sequence <= peer.sequence) return;
    if (peer.inStep) this.counters.gaps++;
    peer.inStep = false;
    this.#ask(from, peer, nowMs);
  }

  #takeState(peer: Peer, message: Extract<PresenceMessage, { kind: 'state' }>, nowMs: number): void {
    const { sequence, part, parts, changes } = message;
    if (peer.inStep && sequence <= peer.sequence) return;
    if (part >= parts || sequence < peer.sequence) return;
    if (peer.state?.sequence !== sequence || peer.state.parts.length !== parts)
      peer.state = { sequence, parts: Array(parts).fill(undefined) };
    peer.state.parts[part] = changes;
    if (peer.state.parts.includes(undefined)) return;
    const all = peer.state.parts.flatMap((one) => one ?? []);
    peer.state = undefined;
    peer.sequence = sequence;
    peer.inStep = true;
    peer.askPauseMs = ASK_MS;
    peer.topics.replace(all, nowMs);
  }

  #ask(from: string, peer: Peer, nowMs: number): void {
    if (nowMs < peer.askAgainAtMs) return;
    peer.state = undefined;
    peer.askAgainAtMs = nowMs + peer.askPauseMs;
    peer.askPauseMs = Math.min(2 * peer.askPauseMs, ASK_MAX_MS);
    this.#options.send({ from: this.#options.instance, kind: 'ask' }, from);
  }

  #watch(instance: string, peer: Peer, nowMs: number): void {
    if (peer.clearAtMs === undefined) {
      if (nowMs - peer.heardAtMs > SILENT_MS) this.#gone(peer, nowMs);
    } else if (nowMs >= peer.clearAtMs) {
      peer.topics.clear(nowMs);
      this.#peers.delete(instance);
    }
  }

  /** Its clients may reconnect to another node within the grace time, and then they never left. If the node is heard again, its state is requested. */
  #gone(peer: Peer, nowMs: number): void {
    peer.clearAtMs = nowMs + this.#options.graceMs;
    peer.inStep = false;
    peer.topics.countNone(nowMs);
  }
}
