import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNode } from '../support/node.ts';
import { rawRequest, rawUpgrade, statusOf } from '../support/raw-http.ts';
import { sign } from '../support/tokens.ts';

/** The schema's bound on tokens. */
const TOKEN_CHARS_MAX = 16_384;
const HEADER_BYTES_MAX = 24_576;

let node: TestNode;

beforeAll(async () => {
  node = await TestNode.start();
});

afterAll(() => node.stop());

/** A valid token of the greatest length that is not above `chars`. */
async function longToken(chars: number): Promise<string> {
  const claims = (pad: number) => ({ sub: 'bob', exp: Math.floor(Date.now() / 1000) + 600, pad: 'x'.repeat(pad) });
  const shortest = await sign(claims(0));
  let pad = Math.floor(((chars - shortest.length) * 3) / 4);
  let token = await sign(claims(pad));
  while (token.length > chars) token = await sign(claims(--pad));
  return token;
}

/** An upgrade whose request line and headers have exactly so many bytes, the empty line at the end included. */
function upgradeOfBytes(bytes: number): string {
  const rest = rawUpgrade(['Cookie: ']).length;
  return rawUpgrade([`Cookie: ${'x'.repeat(bytes - rest)}`]);
}

describe('the headers of an upgrade request', () => {
  it('may contain a token of 16 KiB, in either header, besides ordinary ones', async () => {
    const token = await longToken(TOKEN_CHARS_MAX);
    expect(token.length).toBeGreaterThan(TOKEN_CHARS_MAX - 4);
    const headers = { cookie: 'c'.repeat(6000), 'user-agent': 'u'.repeat(300) };
    const byHeader = await node.connect({ encoding: 'json', token, socket: { headers } });
    expect(await byHeader.next('connected')).toMatchObject({ user: 'bob' });
    const byEntry = await node.connect({ protocols: ['stentor.v1.json', `bearer.${token}`], encoding: 'json', socket: { headers } });
    expect(await byEntry.next('connected')).toMatchObject({ user: 'bob' });
  });

  it('are accepted up to tuning.connections.headerBytesMax, and refused with 431 above it', async () => {
    expect(statusOf(await rawRequest(node.running.port, upgradeOfBytes(HEADER_BYTES_MAX - 100)))).toBe(101);
    expect(statusOf(await rawRequest(node.running.port, upgradeOfBytes(HEADER_BYTES_MAX + 100)))).toBe(431);
  });

  it('may come in two segments: only a cut within the method or the version may be refused, with 505, and harms nobody else', async () => {
    const request = rawUpgrade();
    const line = request.indexOf('\r\n');
    const refused: number[] = [];
    for (let cut = 1; cut < line + 20; cut++) {
      const status = statusOf(await rawRequest(node.running.port, [request.slice(0, cut), request.slice(cut)]));
      if (status === 505) refused.push(cut);
      else expect(status, `cut at ${cut}`).toBe(101);
    }
    // A fault of some builds of uWebSockets.js: after the method and its space, and within `HTTP/1.1`.
    for (const cut of refused) expect(cut === 4 || (cut > line - 9 && cut < line + 2), `cut at ${cut}`).toBe(true);
    expect(statusOf(await rawRequest(node.running.port, request))).toBe(101);
  });

  it('may name subprotocols in several lines', async () => {
    const token = await longToken(400);
    const answers = await Promise.all(
      [
        ['Sec-WebSocket-Protocol: mqtt', 'Sec-WebSocket-Protocol: stentor.v1.json'],
        ['Sec-WebSocket-Protocol: mqtt, stentor.v1.json', 'Sec-WebSocket-Protocol: stentor.v1.msgpack'],
        ['Sec-WebSocket-Protocol: stentor.v1.json', `sec-websocket-protocol: bearer.${token}`],
      ].map((lines) => rawRequest(node.running.port, rawUpgrade(lines))),
    );
    for (const answer of answers) {
      expect(statusOf(answer)).toBe(101);
      expect(/^sec-websocket-protocol: (.*)\r$/im.exec(answer)?.[1]).toBe('stentor.v1.json');
    }
    const forged = await rawRequest(
      node.running.port,
      rawUpgrade(['Sec-WebSocket-Protocol: stentor.v1.json', 'Sec-WebSocket-Protocol: bearer.x']),
    );
    expect(statusOf(forged)).toBe(401);
  });
});

describe('a request that is no good HTTP', () => {
  it('is refused with 505 where it is no HTTP/1.1, and 400 where it names no host', async () => {
    expect(statusOf(await rawRequest(node.running.port, 'GET /ws HTTP/0.9\r\nHost: a\r\n\r\n'))).toBe(505);
    expect(statusOf(await rawRequest(node.running.port, 'GET /ws HTTP/1.1\r\nX-Y: 1\r\n\r\n'))).toBe(400);
  });
});
