import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { problemsOf } from './helpers.ts';

const NATS = { 'nats.url': 'nats://localhost:4222' };
const problems = (flags: Record<string, unknown>) => problemsOf(() => loadConfig({ env: {}, flags }));

describe('settings of hooks', () => {
  it('over NATS need NATS: the memory bus has no services to ask', () => {
    const flags = { 'hooks.connect': 'nats:auth.connect', namespaces: { room: { hooks: { subscribe: 'nats:auth.subscribe' } } } };
    expect(problems(flags)).toEqual([
      expect.stringMatching(/^hooks\.connect = .*expected nats\.url to be set.*hooks\.module/),
      expect.stringMatching(/^namespaces\.room\.hooks\.subscribe = .*expected nats\.url to be set/),
    ]);
    expect(() => loadConfig({ env: {}, flags: { ...flags, ...NATS } })).not.toThrow();
  });

  it.each(['auth.subscribe', 'http://auth', 'nats:', 'nats:a b', 'nats:auth.*', 'nats:auth.>', 'nats:auth.', 'nats:.a'])(
    'are subjects: not %s',
    (setting) => {
      expect(problems({ ...NATS, namespaces: { room: { hooks: { subscribe: setting } } } })).toHaveLength(1);
    },
  );

  it.each(['nats:feed.room.a', 'nats:stentor.control', 'nats:rpc.auth', 'nats:$JS.API.INFO', 'nats:_INBOX.x'])(
    'are no subjects with another meaning: not %s',
    (setting) => {
      expect(problems({ ...NATS, 'hooks.connect': setting })).toEqual([expect.stringMatching(/not below feed, rpc, stentor/)]);
    },
  );

  it('allow failures only of hooks that there are', () => {
    const hooks = { hookFailed: { subscribe: 'allow' } };
    expect(problems({ namespaces: { room: { hooks } } })).toEqual([
      expect.stringMatching(/^namespaces\.room\.hooks\.hookFailed\.subscribe/),
    ]);
    expect(() =>
      loadConfig({ env: {}, flags: { ...NATS, namespaces: { room: { hooks: { ...hooks, subscribe: 'nats:a' } } } } }),
    ).not.toThrow();
  });

  it('ask about publishes only where clients may publish', () => {
    const room = { hooks: { publish: 'nats:a' } };
    expect(problems({ ...NATS, namespaces: { room } })).toEqual([
      expect.stringMatching(/expected namespaces\.room\.clientPublish to be true/),
    ]);
    expect(() => loadConfig({ env: {}, flags: { ...NATS, namespaces: { room: { ...room, clientPublish: true } } } })).not.toThrow();
  });
});
