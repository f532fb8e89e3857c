import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AnswerOutbox } from '../../src/delivery/answer-outbox.ts';
import { Presence } from '../../src/delivery/presence.ts';
import { Receiver } from '../../src/delivery/receiver.ts';
import type { ToHub } from '../../src/link/messages.ts';
import { memberOf } from '../../src/presence/member.ts';
import type { PresenceChange } from '../../src/presence/union.ts';
import type { Encoding } from '../../src/protocol/codec.ts';
import { CODECS } from '../../src/protocol/codecs.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { decodeFrame } from '../support/decode-frame.ts';
import { type SimulatedShards, SimulatedSocket } from '../support/simulated-socket.ts';

const LOBBY = 'chat.lobby' as Topic;
const LAG_BYTES = 2000;

/** One client, and the state that it builds from its messages. */
class Watcher {
  readonly receiver: Receiver;
  readonly socket: SimulatedSocket;
  readonly frames: Uint8Array[] = [];
  members: Set<string> | undefined;
  count: number | undefined;
  states = 0;

  constructor(test: TestPresence, name: string, encoding: Encoding, { native = true, slow = false } = {}) {
    this.socket = new SimulatedSocket(test.shards, {
      backpressureBytesMax: slow ? LAG_BYTES : null,
      deliver: (frame) => this.#take(frame, encoding),
      onDropped: () => test.presence.dropped(this.receiver),
      onDrain: () => {
        this.receiver.sendQueued();
        test.presence.drained(this.receiver);
      },
      onClosed: () => {
        this.receiver.closed();
        Array.from(test.presence.closed(this.receiver));
      },
    });
    if (!native) Object.defineProperty(this.socket, 'isNative', { value: false });
    const options = {
      lagThresholdBytes: LAG_BYTES,
      sendBufferLimitBytes: 1_000_000,
      answerBytesPerMessageMax: 131_072,
      frameBytesMax: 15_360,
      outbox: test.outbox,
      closedSlow: { inc: () => undefined },
      dropped: () => undefined,
    };
    this.receiver = new Receiver(name, CODECS[encoding], this.socket, options);
  }

  #take(frame: Uint8Array, encoding: Encoding): void {
    this.frames.push(frame);
    const message = decodeFrame(Buffer.from(frame), encoding === 'msgpack') as ServerMessage<'presence'>;
    if (message.type !== 'presence') return;
    const { count, members, joined = [], left = [], membersOmitted } = message;
    this.count = count;
    if (members !== undefined) {
      this.members = new Set(members.map(({ user }) => user as string));
      this.states++;
    }
    if (membersOmitted) this.members = undefined;
    for (const { user } of joined) this.members?.add(user as string);
    for (const { user } of left) this.members?.delete(user as string);
  }
}

/** The presence of a worker. The test plays the hub. */
class TestPresence {
  readonly shards: SimulatedShards = new Map();
  readonly sent: ToHub[] = [];
  readonly outbox = new AnswerOutbox();
  readonly published: string[] = [];
  readonly presence = new Presence({
    link: { send: (message) => void this.sent.push(message) },
    hub: { presence: () => Promise.reject(new Error('not asked here')) },
    publish: (shard, frame) => {
      this.published.push(shard);
      for (const socket of [...(this.shards.get(shard) ?? [])]) socket.send(frame);
    },
    outbox: this.outbox,
    isNamed: () => true,
  });
  /** The state that the hub has sent. */
  readonly members = new Set<string>();

  watch(watcher: Watcher, user: string): void {
    this.presence.subscribed(watcher.receiver, LOBBY, memberOf(user, watcher.receiver.id, undefined), true);
  }

  /** The hub's message to a worker that begins to watch. */
  start(): void {
    const members = Array.from(this.members, (user) => memberOf(user, '', undefined));
    this.presence.receive({ kind: 'presenceState', topic: LOBBY, state: { count: members.length, members, omitted: false } });
  }

  change(joined: readonly string[], left: readonly string[] = []): void {
    for (const user of joined) this.members.add(user);
    for (const user of left) this.members.delete(user);
    const toMembers = (users: readonly string[]) => users.map((user) => memberOf(user, '', undefined));
    const change: PresenceChange = {
      topic: LOBBY,
      count: this.members.size,
      ...(joined.length > 0 && { joined: toMembers(joined) }),
      ...(left.length > 0 && { left: toMembers(left) }),
    };
    this.presence.receive({ kind: 'presenceChanges', changes: [change] });
  }

  get kinds(): string[] {
    return this.sent.splice(0).map(({ kind }) => kind);
  }
}

describe('The presence of a worker', () => {
  let test: TestPresence;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    test = new TestPresence();
  });
  afterEach(() => {
    test.presence.stop();
    vi.useRealTimers();
  });

  it('encodes a change once for all watchers of an encoding, and sends new watchers the whole state', () => {
    const watchers = (['json', 'json', 'msgpack', 'msgpack'] as const).map((encoding, i) => new Watcher(test, `n-${i}`, encoding));
    for (const [i, watcher] of watchers.entries()) test.watch(watcher, `user-${i}`);
    expect(test.kinds).toEqual(['presenceReport', 'presenceWatch']);
    test.start();
    test.change(['ann']);
    expect(test.published).toHaveLength(2);
    const [a, b, c, d] = watchers.map(({ frames }) => frames.at(-1));
    expect(a).toBe(b);
    expect(c).toBe(d);
    const late = new Watcher(test, 'n-9', 'json');
    test.watch(late, 'late');
    expect([...(late.members ?? [])]).toEqual(['ann']);
    expect(late.states).toBe(1);
  });

  it('sends changes individually to a watcher without native publish', () => {
    const alone = new Watcher(test, 'n-1', 'json', { native: false });
    test.watch(alone, 'alone');
    test.start();
    test.change(['ann', 'bob']);
    test.change([], ['ann']);
    expect([...(alone.members ?? [])]).toEqual(['bob']);
    expect(test.shards.size).toBe(0);
  });

  it('asks the hub to watch with the first watcher, and to stop with the last', () => {
    const [first, second] = [new Watcher(test, 'n-1', 'json'), new Watcher(test, 'n-2', 'json')];
    for (const watcher of [first, second]) test.watch(watcher, 'ann');
    test.start();
    expect(test.kinds).toEqual(['presenceReport', 'presenceWatch']);
    test.presence.subscribed(first.receiver, LOBBY, memberOf('ann', 'n-1', undefined), false);
    expect(test.kinds).toEqual([]);
    second.socket.cut();
    expect(test.kinds).toEqual(['presenceUnwatch']);
    expect(test.shards.size).toBe(0);
  });

  it('reports joins and leaves together, and nothing of members that did both', () => {
    const watchers = Array.from({ length: 5 }, (_, i) => new Watcher(test, `n-${i}`, 'json'));
    const subscribe = (watcher: Watcher, user: string) =>
      test.presence.subscribed(watcher.receiver, LOBBY, memberOf(user, watcher.receiver.id, undefined), false);
    for (const [i, watcher] of watchers.entries()) subscribe(watcher, i < 2 ? 'ann' : `user-${i}`);
    // A second subscribe counts once.
    subscribe(watchers[0] as Watcher, 'ann');
    test.presence.ended((watchers[4] as Watcher).receiver, LOBBY);
    expect(test.sent).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(test.sent.splice(0)).toEqual([
      {
        kind: 'presenceReport',
        reports: [
          {
            topic: LOBBY,
            delta: 4,
            members: [
              { member: { id: 'uann' }, delta: 2, closed: false },
              { member: { id: 'uuser-2' }, delta: 1, closed: false },
              { member: { id: 'uuser-3' }, delta: 1, closed: false },
            ],
          },
        ],
      },
    ]);
    watchers[0]?.socket.cut();
    test.presence.ended((watchers[2] as Watcher).receiver, LOBBY);
    vi.advanceTimersByTime(100);
    expect(test.sent).toMatchObject([
      {
        reports: [
          {
            delta: -2,
            members: [
              { member: { id: 'uann' }, delta: -1, closed: true },
              { member: { id: 'uuser-2' }, delta: -1, closed: false },
            ],
          },
        ],
      },
    ]);
  });

  it('brings every watcher to the same state, even if its socket stalls', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('change' as const), join: fc.boolean(), user: fc.nat({ max: 30 }) }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constantFrom('read' as const, 'turn' as const, 'fill' as const), watcher: fc.nat({ max: 5 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constantFrom('come' as const, 'go' as const, 'second' as const), watcher: fc.nat({ max: 5 }) }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150, size: 'max' }), async (steps) => {
        const test = new TestPresence();
        const watchers = Array.from(
          { length: 6 },
          (_, i) => new Watcher(test, `n-${i}`, i % 2 === 0 ? 'json' : 'msgpack', { slow: i < 4, native: i !== 1 }),
        );
        const watching = new Set<Watcher>();
        const come = (watcher: Watcher) => {
          watching.add(watcher);
          test.watch(watcher, 'ann');
          if (test.kinds.includes('presenceWatch')) test.start();
        };
        for (const watcher of watchers) come(watcher);
        for (const one of steps) {
          const watcher = watchers['watcher' in one ? one.watcher : 0] as Watcher;
          const user = `user-${'user' in one ? one.user : 0}-${'x'.repeat(40)}`;
          if (one.kind === 'change' && one.join !== test.members.has(user)) test.change(one.join ? [user] : [], one.join ? [] : [user]);
          else if (one.kind === 'read') watcher.socket.read(500);
          else if (one.kind === 'turn') await turn();
          else if (one.kind === 'fill')
            watcher.receiver.sendEncoded(
              CODECS[watcher.receiver.codec.encoding].encode({ type: 'pong', t: 1, serverTimeMs: 1, pad: 'x'.repeat(1500) } as never),
            );
          else if (one.kind === 'come') come(watcher);
          else if (one.kind === 'second') test.presence.everySecond();
          else if (one.kind === 'go') {
            watching.delete(watcher);
            test.presence.subscribed(watcher.receiver, LOBBY, memberOf('ann', watcher.receiver.id, undefined), false);
          }
        }
        await turn();
        for (let i = 0; i < 50; i++) {
          for (const { socket } of watchers) socket.read(10_000);
          await turn();
        }
        if (watching.size > 0) test.change(['last']);
        for (const { socket } of watchers) socket.read(100_000);
        for (const watcher of watching) {
          expect([...(watcher.members ?? ['?'])].sort()).toEqual([...test.members].sort());
          expect(watcher.count).toBe(test.members.size);
        }
        test.presence.stop();
      }),
      { numRuns: 200 },
    );
  });
});
