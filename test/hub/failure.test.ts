import { describe, expect, it } from 'vitest';
import { BusError, type BusErrorCode } from '../../src/bus/bus-error.ts';
import { codeOf, textForClient } from '../../src/hub/failure.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';

/** A record, so that a new code is missed here. */
const CODES: Readonly<Record<BusErrorCode, true>> = {
  bus_unreachable: true,
  bus_closed: true,
  bus_busy: true,
  jetstream_unavailable: true,
  stream_mismatch: true,
  stream_missing: true,
  stream_refused: true,
  server_too_old: true,
  unknown_namespace: true,
  mirror_too_old: true,
  log_gone: true,
  log_gap: true,
  log_rolled_back: true,
  permission_denied: true,
  publish_timeout: true,
  publish_refused: true,
  no_responders: true,
  call_timeout: true,
};

describe('what a client is told about a failure in the hub', () => {
  it.each(Object.keys(CODES) as BusErrorCode[])('has no subject and no stream of NATS (%s)', (code) => {
    const text = textForClient(new BusError(code, 'stream stentor-scores: $JS.API.INFO feed.scores.a rpc.secret'));
    expect(text).not.toMatch(/stentor-|\$JS|feed\.|rpc\.|NATS|stream/i);
    expect(text.length).toBeGreaterThan(5);
  });

  it('is nothing of what a bug throws', () => {
    const bug = new TypeError("Cannot read properties of undefined (reading '_INBOX_node.x')");
    expect([codeOf(bug), textForClient(bug)]).toEqual(['internal', 'unexpected server error']);
  });

  it('is what was written for it', () => {
    expect(textForClient(new ProtocolError('forbidden', 'no pattern permits it'))).toBe('no pattern permits it');
  });
});
