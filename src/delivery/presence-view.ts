import type { Member } from '../presence/member.ts';
import type { PresenceChange, PresenceState } from '../presence/union.ts';
import type { Encoding } from '../protocol/codec.ts';
import { CODECS } from '../protocol/codecs.ts';
import type { PresenceMember, ServerMessage } from '../protocol/messages.ts';
import type { Topic } from '../protocol/topic.ts';
import type { Receiver } from './receiver.ts';

type PresenceMessage = ServerMessage<'presence'>;

/** The members of a topic, as this worker's watchers are told. */
export class PresenceView {
  readonly topic: Topic;
  readonly #shardName: string;
  /** The hub has sent the state of the topic. */
  isKnown = false;
  readonly watchers = new Set<Receiver>();
  /** Watchers that get each change. The others must be sent the state first. */
  readonly #joined: Readonly<Record<Encoding, Set<Receiver>>> = { json: new Set(), msgpack: new Set() };
  readonly #alone: Readonly<Record<Encoding, Set<Receiver>>> = { json: new Set(), msgpack: new Set() };
  #count = 0;
  #members: Map<string, Member> | undefined;
  #omitted = false;
  /** The state, encoded once for all watchers that come between two changes. */
  readonly #frames = new Map<Encoding, Uint8Array>();

  /** @param number unique among the views of the worker */
  constructor(topic: Topic, number: number) {
    this.topic = topic;
    this.#shardName = `presence-${number.toString(36)}`;
  }

  start({ count, members, omitted }: PresenceState): void {
    this.isKnown = true;
    this.#count = count;
    this.#members = members && new Map(members.map((member) => [member.id, member]));
    this.#omitted = omitted;
    this.#frames.clear();
  }

  apply({ count, members, joined = [], left = [], omitted }: PresenceChange): void {
    this.#count = count;
    this.#frames.clear();
    if (omitted) this.#members = undefined;
    if (members !== undefined) this.#members = new Map(members.map((member) => [member.id, member]));
    if (omitted || members !== undefined) this.#omitted = omitted === true;
    for (const member of joined) this.#members?.set(member.id, member);
    for (const { id } of left) this.#members?.delete(id);
  }

  get state(): PresenceState {
    return { count: this.#count, members: this.#members && [...this.#members.values()], omitted: this.#omitted };
  }

  /** The whole state, for a new watcher. */
  frame(encoding: Encoding): Uint8Array {
    let frame = this.#frames.get(encoding);
    if (frame === undefined) {
      frame = CODECS[encoding].encode({ type: 'presence', topic: this.topic, ...stateFields(this.state) });
      this.#frames.set(encoding, frame);
    }
    return frame;
  }

  /** The receiver gets the changes from now on. */
  join(receiver: Receiver): void {
    const { encoding } = receiver.codec;
    const joined = this.#joined[encoding];
    if (joined.has(receiver)) return;
    joined.add(receiver);
    if (receiver.socket.isNative) receiver.socket.join(this.shard(encoding));
    else this.#alone[encoding].add(receiver);
  }

  leave(receiver: Receiver): void {
    const { encoding } = receiver.codec;
    this.#alone[encoding].delete(receiver);
    if (this.#joined[encoding].delete(receiver) && receiver.socket.isNative) receiver.socket.leave(this.shard(encoding));
  }

  /** The receiver's socket has closed, or it no longer watches and has left the shard. */
  forget(receiver: Receiver): void {
    this.watchers.delete(receiver);
    this.#joined[receiver.codec.encoding].delete(receiver);
    this.#alone[receiver.codec.encoding].delete(receiver);
  }

  joined(encoding: Encoding): ReadonlySet<Receiver> {
    return this.#joined[encoding];
  }

  /** The joined receivers that must be sent each change individually: they have no native publish. */
  alone(encoding: Encoding): ReadonlySet<Receiver> {
    return this.#alone[encoding];
  }

  shard(encoding: Encoding): string {
    return `${this.#shardName}${encoding}`;
  }
}

export function stateFields({ count, members, omitted }: PresenceState): Pick<PresenceMessage, 'count' | 'members' | 'membersOmitted'> {
  return { count, ...(members !== undefined && { members: members.map(shown) }), ...(omitted && { membersOmitted: true }) };
}

export function changeMessage({ topic, count, members, joined, left, omitted }: PresenceChange): PresenceMessage {
  return {
    type: 'presence',
    topic,
    count,
    ...(members !== undefined && { members: members.map(shown) }),
    ...(joined !== undefined && { joined: joined.map(shown) }),
    ...(left !== undefined && { left: left.map(({ id }) => shown({ id })) }),
    ...(omitted && { membersOmitted: true }),
  };
}

function shown({ id, info }: Member): PresenceMember {
  const name = id.slice(1);
  return { ...(id.startsWith('u') ? { user: name } : { connectionId: name }), ...(info !== undefined && { info }) };
}
