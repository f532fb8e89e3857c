import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger, type Logger, type LogOptions } from '../../src/telemetry/log.ts';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl';

function capture(options: Partial<LogOptions> = {}): { log: Logger; text: () => string; last: () => Record<string, unknown> } {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk) => {
    text += chunk;
  });
  const log = createLogger({ level: 'trace', pretty: false, ...options }, stream);
  return { log, text: () => text, last: () => JSON.parse(text.trim().split('\n').at(-1) as string) };
}

describe('createLogger', () => {
  it('redacts fields with the name of a secret at every level down to the fourth', () => {
    const { log, last } = capture();
    log.info({
      token: 'a-1',
      request: { headers: { authorization: 'Bearer b-2', 'sec-websocket-protocol': 'c-3' } },
      x: { y: { z: { secret: 'd-4' } } },
    });
    expect(last()).toMatchObject({
      token: '(redacted)',
      request: { headers: { authorization: '(redacted)', 'sec-websocket-protocol': '(redacted)' } },
      x: { y: { z: { secret: '(redacted)' } } },
    });
  });

  it('removes a JWT from a message, an error and a binding', () => {
    const { log, text } = capture({ bindings: { nodeId: 'n1' } });
    log.child({ offered: ['stentor.v1.json', `bearer.${JWT}`] }).error(new Error(`bad token ${JWT}`), `refused ${JWT}`);
    expect(text()).not.toContain('eyJ');
    expect(text()).toContain('refused (redacted)');
  });

  it('removes credentials from URLs, in user info and in the query', () => {
    const { log, last } = capture();
    log.info({ url: 'nats://bob:hunter2@nats:4222', target: '/ws?x=1&token=abc&y=2' });
    expect(last()).toMatchObject({ url: 'nats://(redacted)@nats:4222', target: '/ws?x=1&token=(redacted)&y=2' });
  });

  it('does not change anything else', () => {
    const { log, last } = capture({ bindings: { nodeId: 'n1' } });
    log.info({ tokens: 3, url: 'nats://nats:4222', topic: 'scores.a' }, 'followed');
    expect(last()).toMatchObject({ nodeId: 'n1', tokens: 3, url: 'nats://nats:4222', topic: 'scores.a', msg: 'followed' });
  });

  it('says times in ISO 8601 and levels by name', () => {
    const { log, last } = capture();
    for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) {
      const before = new Date().toISOString();
      log[level]('x');
      expect(last()).toMatchObject({ level, msg: 'x' });
      const { time } = last() as { time: string };
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(time >= before && time <= new Date().toISOString()).toBe(true);
    }
  });

  it('writes nothing below its level', () => {
    const { log, text } = capture({ level: 'warn' });
    log.info('quiet');
    expect(text()).toBe('');
  });

  it('writes for people, redacted too, when pretty', async () => {
    const { log, text } = capture({ pretty: true });
    log.info({ token: 'abc', topic: 'scores.a' }, `hello ${JWT}`);
    await expect.poll(text).toContain('scores.a');
    expect(text()).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: /);
    expect(text()).toContain('hello (redacted)');
    expect(text()).not.toContain('abc');
  });
});
