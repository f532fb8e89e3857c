import { describe, expect, it } from 'vitest';
import { Memberships } from '../../src/delivery/memberships.ts';
import type { Flush } from '../../src/fanout/flush.ts';
import { NATIVE_MEMBERS_MIN, type Shard } from '../../src/fanout/shard.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import { feed, JSON_VARIANT, MSGPACK, source } from '../support/fanout-fixtures.ts';
import { StubReceiver } from '../support/stub-receiver.ts';

const GROUP_CONNECTIONS_MAX = 100;

function enter(memberships: Memberships, made: TopicFeed, id: string, { echo = true, minCursor = 0 } = {}): StubReceiver {
  const stub = new StubReceiver(id);
  memberships.listen(stub.receiver, memberships.enter(stub.receiver, made, { variant: MSGPACK, echo }, minCursor));
  return stub;
}

const shardOf = ({ receiver }: StubReceiver, made: TopicFeed) => receiver.subscriptions.get(made.topic) as Shard;

describe('a shard', () => {
  it('has a native topic from its 16th member on, in which all members listen, until the last one has left', () => {
    const memberships = new Memberships(GROUP_CONNECTIONS_MAX);
    const made = feed();
    const stubs = Array.from({ length: NATIVE_MEMBERS_MIN - 1 }, (_, index) => enter(memberships, made, `c${index}`));
    const direct = shardOf(stubs[0]!, made);
    expect([direct.nativeTopic, stubs.some(({ socket }) => socket.steps.length > 0)]).toEqual([undefined, false]);
    stubs.push(enter(memberships, made, 'last'));
    const shard = shardOf(stubs[0]!, made);
    expect(shard.nativeTopic).toBeDefined();
    for (const stub of stubs) expect(stub.socket.steps).toEqual([`+${shard.nativeTopic}`]);
    for (const stub of stubs.slice(2)) memberships.leave(stub.receiver, shardOf(stub, made));
    expect(stubs.map(({ socket }) => socket.listensTo.size)).toEqual([1, 1, ...stubs.slice(2).map(() => 0)]);
    expect(shard.recipients).toEqual(stubs.slice(0, 2).map(({ receiver }) => receiver));
  });
});

describe('members of shards that are joined', () => {
  /** One group's two shards: `e`, who may want no echo, had more than the others when it came. Now all have everything; `e`'s was flushed in turn 7. */
  function twoShards(echo: boolean, others = 2, nativeMembersMin = NATIVE_MEMBERS_MIN) {
    const memberships = new Memberships(GROUP_CONNECTIONS_MAX, nativeMembersMin);
    const made = feed();
    const [c] = Array.from({ length: others }, (_, index) => enter(memberships, made, `c${index}`));
    made.push(source(1));
    const e = enter(memberships, made, 'e', { echo, minCursor: 1 });
    made.push(source(2));
    shardOf(c!, made).advance(2, 2, 6);
    shardOf(e, made).advance(2, 2, 7);
    return { memberships, made, c: c!, e };
  }

  it('move to the other shard, listen there, and are counted there', () => {
    const { memberships, made, c, e } = twoShards(true, NATIVE_MEMBERS_MIN);
    const into = shardOf(c, made);
    expect(shardOf(e, made)).not.toBe(into);
    memberships.merge();
    expect(shardOf(e, made)).toBe(into);
    expect([...e.socket.listensTo]).toEqual([into.nativeTopic]);
    expect(shardOf(e, made).variant.shards).toEqual([into]);
    expect([into.members, into.recipients.includes(e.receiver)]).toEqual([NATIVE_MEMBERS_MIN + 1, true]);
    memberships.leave(e.receiver, shardOf(e, made));
    expect([into.members, into.recipients.includes(e.receiver)]).toEqual([NATIVE_MEMBERS_MIN, false]);
    expect(e.socket.listensTo.size).toBe(0);
  });

  it('listen in the new native topic before they leave the old one, because uWS drops the queue of a socket that leaves its last', () => {
    const { memberships, made, c, e } = twoShards(true, 2, 1);
    const [into, left] = [shardOf(c, made).nativeTopic, shardOf(e, made).nativeTopic];
    expect([into, left]).toEqual([expect.any(String), expect.any(String)]);
    e.socket.steps.length = 0;
    memberships.merge();
    // The larger of the two stays.
    expect(e.socket.steps).toEqual([`+${into}`, `-${left}`]);
  });

  it('become a native topic with the shard that they leave, when that was one', () => {
    const { memberships, made, c, e } = twoShards(true);
    const [into, left] = [shardOf(c, made), shardOf(e, made)];
    left.nativeTopic = 'left';
    memberships.merge();
    expect(shardOf(e, made)).toBe(into);
    expect(into.nativeTopic).toBeDefined();
    for (const stub of [c, e]) expect([...stub.socket.listensTo]).toEqual([into.nativeTopic]);
    expect(e.socket.steps.at(-1)).toBe('-left');
  });

  it('still do not get what they publish themselves, without echo', () => {
    const { memberships, made, e } = twoShards(false);
    memberships.merge();
    expect(made.withoutEcho.get('e')).toBe(shardOf(e, made));
  });

  it('keep the record of a drop in the same loop turn', () => {
    const { memberships, made, e } = twoShards(true, 2, 1);
    memberships.merge();
    expect(shardOf(e, made).positionOfDropped(7)).toEqual({ sequence: 1, offset: 1 });
  });
});

describe('a topic with so many members that each group has some', () => {
  const flushOf = ({ variant }: Shard, text: string): Flush => {
    const sent = { frames: 1, bytes: text.length, items: 1 };
    return {
      variant,
      epoch: 'e1',
      from: 0,
      fromOffset: 0,
      to: 1,
      offset: 1,
      parts: [{ frames: [{ bytes: Buffer.from(text) }] }],
      sent,
      isGiven: false,
      oldestPublishedAtMs: 0,
      oldestEventAtMs: undefined,
    };
  };

  it('is divided by groups; its members get before that what waits for them, and members of other groups move, too', () => {
    const memberships = new Memberships(2, 2);
    const made = feed();
    const a = enter(memberships, made, 'a');
    const d = enter(memberships, feed({ topic: 'scores.other' }), 'd');
    const [b, c] = [enter(memberships, made, 'b', { echo: false }), enter(memberships, made, 'c')];
    expect(new Set([a, b, c].map((stub) => shardOf(stub, made))).size).toBe(1);
    a.receiver.add(flushOf(shardOf(a, made), '{}'));
    // Four members, two groups.
    memberships.listen(d.receiver, memberships.enter(d.receiver, made, { variant: MSGPACK, echo: true }, 0));
    expect(a.sent).toEqual([{}]);
    for (const stub of [a, b, c, d]) {
      const shard = shardOf(stub, made);
      expect(shard).toMatchObject({ group: stub.receiver.group, members: 2 });
      expect([...stub.socket.listensTo]).toEqual([shard.nativeTopic]);
    }
    expect(shardOf(a, made)).not.toBe(shardOf(b, made));
    expect(made.withoutEcho.get('b')).toBe(shardOf(b, made));
  });

  it('gets a member what waits for it before it leaves, and before anything else that it is sent', () => {
    const memberships = new Memberships(GROUP_CONNECTIONS_MAX);
    const made = feed();
    const stub = enter(memberships, made, 'a');
    const shard = shardOf(stub, made);
    for (const text of ['[1]', '[2]']) stub.receiver.add(flushOf(shard, text));
    stub.receiver.send({ type: 'pong' } as never);
    expect(stub.sent).toEqual([[1], [2], { type: 'pong' }]);
    expect(stub.socket.writes).toEqual([2, 1]);
    stub.receiver.add(flushOf(shard, '[3]'));
    memberships.leave(stub.receiver, shard);
    expect(stub.sent.at(-1)).toEqual([3]);
  });

  it('joins no more for a connection than half of what it may lag', () => {
    const memberships = new Memberships(GROUP_CONNECTIONS_MAX);
    const stub = enter(memberships, feed(), 'a');
    const [subscription] = stub.receiver.subscriptions.values();
    const flush = flushOf(subscription as Shard, `"${'x'.repeat(298)}"`);
    expect([stub.receiver.add(flush), stub.receiver.add(flush), stub.sent.length]).toEqual([true, false, 2]);
    expect([stub.receiver.add(flush), stub.sent.length]).toEqual([true, 2]);
  });
});

describe('a member that changes its place in a topic', () => {
  it.each([
    ['the same form', MSGPACK],
    ['another form', JSON_VARIANT],
  ])('without echo goes on without it, in %s', (_, variant) => {
    const memberships = new Memberships(GROUP_CONNECTIONS_MAX);
    const made = feed();
    const stub = enter(memberships, made, 'a', { echo: false });
    memberships.change(stub.receiver, shardOf(stub, made), { variant, echo: false }, (member) => memberships.listen(stub.receiver, member));
    const shard = shardOf(stub, made);
    expect(made.withoutEcho.get('a')).toBe(shard);
    expect(shard.recipients).toEqual([stub.receiver]);
    expect(made.members).toBe(1);
    memberships.leave(stub.receiver, shardOf(stub, made));
    expect(made.withoutEcho.size).toBe(0);
  });

  it('gets echo again on request', () => {
    const memberships = new Memberships(GROUP_CONNECTIONS_MAX);
    const made = feed();
    const stub = enter(memberships, made, 'a', { echo: false });
    memberships.change(stub.receiver, shardOf(stub, made), { variant: MSGPACK, echo: true }, () => undefined);
    expect(made.withoutEcho.size).toBe(0);
  });
});
