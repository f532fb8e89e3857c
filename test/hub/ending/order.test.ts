import { describe, expect, it } from 'vitest';
import { parseOrder } from '../../../src/hub/ending/order.ts';

const NOW_MS = 1_700_000_000_000;

describe('An order', () => {
  it.each([
    [
      { action: 'disconnect', user: 'ann' },
      { action: 'disconnect', target: { user: 'ann' }, reason: 'ended by the operator', reconnect: false },
    ],
    [
      { action: 'disconnect', connectionId: 'c1', reason: 'moved', reconnect: true, unknown: 1 },
      { action: 'disconnect', target: { connectionId: 'c1' }, reason: 'moved', reconnect: true },
    ],
    [
      { action: 'unsubscribe', tokenId: 't1', topic: 'chat.lobby' },
      { action: 'unsubscribe', target: { tokenId: 't1' }, reason: 'ended by the operator', topic: 'chat.lobby' },
    ],
    [
      { action: 'revoke', tokenId: 't1', issuedBeforeMs: 5 },
      { action: 'revoke', revocation: { tokenId: 't1' } },
    ],
    [
      { action: 'revoke', user: 'a\ud800' },
      { action: 'revoke', revocation: { user: 'a\ufffd', issuedBeforeMs: NOW_MS } },
    ],
    [
      { action: 'revoke', user: 'ann', issuedBeforeMs: 5 },
      { action: 'revoke', revocation: { user: 'ann', issuedBeforeMs: 5 } },
    ],
  ])('%j', (value, order) => {
    expect(parseOrder(value, NOW_MS)).toEqual(order);
  });

  it.each([
    [null, 'bad_message'],
    ['disconnect', 'bad_message'],
    [{ action: 'reboot', user: 'ann' }, 'bad_message'],
    [{ action: 'disconnect' }, 'bad_message'],
    [{ action: 'disconnect', user: '' }, 'bad_message'],
    [{ action: 'disconnect', user: 'ann', tokenId: 't1' }, 'bad_message'],
    [{ action: 'disconnect', user: 'ann', reconnect: 'yes' }, 'bad_message'],
    // It must fit a close frame: 123 bytes, and these are 124.
    [{ action: 'disconnect', user: 'ann', reason: 'ä'.repeat(62) }, 'bad_message'],
    [{ action: 'unsubscribe', user: 'ann' }, 'bad_message'],
    [{ action: 'unsubscribe', user: 'ann', topic: 'chat.>' }, 'bad_topic'],
    [{ action: 'revoke', connectionId: 'c1' }, 'bad_message'],
    [{ action: 'revoke', user: 'ann', issuedBeforeMs: -1 }, 'bad_message'],
  ])('is none: %j', (value, code) => {
    expect(() => parseOrder(value, NOW_MS)).toThrow(expect.objectContaining({ code }));
  });
});
