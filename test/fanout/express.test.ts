import { describe, expect, it } from 'vitest';
import { Express } from '../../src/fanout/express.ts';
import { Flusher } from '../../src/fanout/flush.ts';
import type { TopicFeed } from '../../src/fanout/topic-feed.ts';
import type { Variant } from '../../src/fanout/variant.ts';
import { feed, joinMany, source } from '../support/fanout-fixtures.ts';

const SEND_MS = 0.008;

/** An express, and the topics that it served, in order. */
function setUp() {
  const served: string[] = [];
  const nothing = () => undefined;
  const sink = {
    publish: nothing,
    give: nothing,
    isMember: () => false,
    publishExcept: nothing,
    sendTo: nothing,
    send: nothing,
    skipped: () => new Uint8Array(),
    done: nothing,
    flushed: ({ variant }: { variant: Variant }) => void served.push(variant.feed.topic),
  };
  return { express: new Express(new Flusher(sink, { frameBytesMax: 15_360, lagThresholdBytes: 65_536 })), served };
}

function topicOf(name: string, members: number): { topicFeed: TopicFeed; variant: Variant } {
  const topicFeed = feed({ topic: `scores.${name}` });
  joinMany(topicFeed, members);
  return { topicFeed, variant: topicFeed.variants[0] as Variant };
}

let nextOffset = 1;
const publish = (topicFeed: TopicFeed) => topicFeed.push(source(nextOffset++));

describe('Express', () => {
  it('serves the smallest topic first, whole', () => {
    const { express, served } = setUp();
    for (const members of [40, 3, 20]) {
      const { topicFeed, variant } = topicOf(`of-${members}`, members);
      publish(topicFeed);
      express.want(variant);
    }
    express.serve(1, 0, SEND_MS);
    expect(served).toEqual(['scores.of-3', 'scores.of-20', 'scores.of-40']);
  });

  it('leaves a topic of more than 128 members to the passes', () => {
    const { express, served } = setUp();
    const { topicFeed, variant } = topicOf('large', 129);
    publish(topicFeed);
    express.want(variant);
    express.serve(1, 0, SEND_MS);
    expect(served).toEqual([]);
  });

  it('skips what a pass has served meanwhile, and serves the topic again when it has something new', () => {
    const { express, served } = setUp();
    const { topicFeed, variant } = topicOf('a', 5);
    publish(topicFeed);
    express.want(variant);
    for (const shard of variant.shards) shard.advance(topicFeed.ring.next, topicFeed.ring.headOffset, 0);
    express.serve(1, 0, SEND_MS);
    expect(served).toEqual([]);
    publish(topicFeed);
    express.want(variant);
    express.serve(2, 1, SEND_MS);
    expect(served).toEqual(['scores.a']);
  });

  it('uses at most 3% of the time, and sends the rest later', () => {
    const { express, served } = setUp();
    const { topicFeed, variant } = topicOf('a', 100);
    express.serve(1, 0, SEND_MS);
    for (let nowMs = 2; nowMs <= 1001; nowMs++) {
      publish(topicFeed);
      express.want(variant);
      express.serve(nowMs, nowMs, SEND_MS);
    }
    // 30 ms of a second are 3,750 sends; 150 were saved up before, and the rest does not make up another hundred.
    expect(served.length).toBe(38);
    expect(variant.isExpress).toBe(true);
  });

  it('keeps at most 256 topics waiting', () => {
    const { express, served } = setUp();
    for (let number = 0; number < 300; number++) {
      const { topicFeed, variant } = topicOf(`t${number}`, 1);
      publish(topicFeed);
      express.want(variant);
    }
    for (let nowMs = 1; nowMs < 1000; nowMs++) express.serve(nowMs, nowMs, SEND_MS);
    expect(served).toHaveLength(256);
  });
});
