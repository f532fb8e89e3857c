import { describe, expect, it } from 'vitest';
import { DEFAULT_NAMES } from '../../src/bus/nats/names.ts';
import { describeDenied, neededFor } from '../../src/bus/nats/permissions.ts';

describe('the missing permission of a NATS user', () => {
  const HUB = { api: '$JS.hub.API', inbox: '_INBOX_node' };

  it.each([
    ['$JS.API.STREAM.INFO.stentor-scores', '$JS.API.STREAM.INFO.stentor-scores'],
    ['$JS.API.STREAM.MSG.GET.stentor-scores', '$JS.API.STREAM.MSG.GET.stentor-scores'],
    ['$JS.API.CONSUMER.CREATE.stentor-scores.stentor_read_X.feed.scores.a', '$JS.API.CONSUMER.CREATE.stentor-scores.>'],
    ['$JS.API.CONSUMER.MSG.NEXT.stentor-scores.stentor_read_X', '$JS.API.CONSUMER.MSG.NEXT.stentor-scores.>'],
    ['$JS.API.CONSUMER.DELETE.stentor-scores.stentor_X', '$JS.API.CONSUMER.DELETE.stentor-scores.>'],
    ['$JS.FC.stentor-scores.stentor_X.abc', '$JS.FC.stentor-scores.>'],
    ['$KV.stentor-epochs.scores', '$KV.stentor-epochs.>'],
    ['_INBOX.abc.def', '_INBOX.>'],
    ['feed.scores.a.b', 'feed.scores.>'],
    ['feed.scores', 'feed.scores'],
    ['rpc.orders.place', 'rpc.>'],
    ['stentor.nodes', 'stentor.nodes'],
    ['stentor.presence.all', 'stentor.presence.>'],
    ['stentor.users.ann', 'stentor.users.>'],
    ['stentor.send.namespace.*', 'stentor.send.>'],
    ['stentor.call.connection.one-5f0c2a71.*.>', 'stentor.call.>'],
  ])('%s: %s', (subject, needed) => {
    expect(neededFor({ operation: 'publish', subject }, DEFAULT_NAMES)).toBe(needed);
  });

  it.each([
    ['$JS.hub.API.CONSUMER.CREATE.stentor-scores.x', '$JS.hub.API.CONSUMER.CREATE.stentor-scores.>'],
    ['$JS.hub.API.$KV.stentor-epochs.scores', '$JS.hub.API.$KV.stentor-epochs.>'],
    ['_INBOX_node.abc', '_INBOX_node.>'],
  ])('%s: %s, with the names of another domain', (subject, needed) => {
    expect(neededFor({ operation: 'subscription', subject }, HUB)).toBe(needed);
  });

  it('is said with the right that is missing', () => {
    expect(describeDenied({ operation: 'subscription', subject: 'feed.user.a' }, DEFAULT_NAMES)).toContain(
      'subscribing to "feed.user.a": the user needs "feed.user.>" in permissions.subscribe',
    );
  });
});
