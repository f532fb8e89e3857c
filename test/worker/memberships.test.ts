import { describe, expect, it } from 'vitest';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import type { Member } from '../../src/worker/connection.ts';
import { Memberships } from '../../src/worker/memberships.ts';
import { feed, JSON_VARIANT, MSGPACK, source } from '../support/fanout.ts';
import { StubConnection } from '../support/stub-connection.ts';

const GROUP_CONNECTIONS_MAX = 10;

function enter(memberships: Memberships, made: TopicFeed, id: string, { echo = true, minCursor = 0 } = {}): StubConnection {
  const stub = new StubConnection(id);
  memberships.listen(stub.connection, memberships.enter(stub.connection, made, { variant: MSGPACK, echo }, minCursor));
  return stub;
}

const memberOf = ({ connection }: StubConnection, made: TopicFeed) => connection.subscriptions.get(made.topic) as Member;

describe('members of shards that are joined', () => {
  /** One group's two shards: `e`, who may want no echo, had more than the others when it came. Now all have everything; `e`'s was flushed in turn 7. */
  function twoShards(echo: boolean) {
    const memberships = new Memberships(GROUP_CONNECTIONS_MAX);
    const made = feed();
    const [c] = ['c', 'd'].map((id) => enter(memberships, made, id));
    made.push(source(1), 0);
    const e = enter(memberships, made, 'e', { echo, minCursor: 1 });
    made.push(source(2), 1);
    memberOf(c!, made).shard.advance(2, 2, 6);
    memberOf(e, made).shard.advance(2, 2, 7);
    return { memberships, made, c: c!, e };
  }

  it('move to the other shard, listen there, and are counted there', () => {
    const { memberships, made, c, e } = twoShards(true);
    const into = memberOf(c, made).shard;
    const left = memberOf(e, made).shard;
    expect(left).not.toBe(into);
    memberships.merge([made]);
    expect(memberOf(e, made).shard).toBe(into);
    expect([...e.listensTo]).toEqual([into.nativeTopic]);
    // The new one first: uWS forgets what is queued for a socket that leaves its last native topic.
    expect(e.steps.slice(-2)).toEqual([`+${into.nativeTopic}`, `-${left.nativeTopic}`]);
    expect(memberOf(e, made).variant.shards).toEqual([into]);
    expect(into.members).toBe(3);
    memberships.leave(e.connection, memberOf(e, made));
    expect(into.members).toBe(2);
  });

  it('go on getting nothing of what they publish, where they want no echo', () => {
    const { memberships, made, e } = twoShards(false);
    memberships.merge([made]);
    expect(made.withoutEcho.get('e')).toBe(memberOf(e, made).shard);
  });

  it('keep what a drop in the same loop turn means to them', () => {
    const { memberships, made, e } = twoShards(true);
    memberships.merge([made]);
    expect(memberOf(e, made).shard.positionOfDropped(7)).toEqual({ sequence: 1, offset: 1 });
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
    memberships.change(stub.connection, memberOf(stub, made), { variant, echo: false }, (member) =>
      memberships.listen(stub.connection, member),
    );
    const { shard } = memberOf(stub, made);
    expect(made.withoutEcho.get('a')).toBe(shard);
    expect(memberships.findWithoutEcho('a')).toBe(stub.connection);
    expect([...stub.listensTo]).toEqual([shard.nativeTopic]);
    expect(made.members).toBe(1);
    memberships.leave(stub.connection, memberOf(stub, made));
    expect(made.withoutEcho.size).toBe(0);
    expect(memberships.findWithoutEcho('a')).toBeUndefined();
  });

  it('gets echo again when it asks for it', () => {
    const memberships = new Memberships(GROUP_CONNECTIONS_MAX);
    const made = feed();
    const stub = enter(memberships, made, 'a', { echo: false });
    memberships.change(stub.connection, memberOf(stub, made), { variant: MSGPACK, echo: true }, () => undefined);
    expect(made.withoutEcho.size).toBe(0);
    expect(memberships.findWithoutEcho('a')).toBeUndefined();
  });
});
