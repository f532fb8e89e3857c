import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';

const SECRET = 'a-secret-of-thirty-two-characters!';

describe('warnings', () => {
  const warningsOf = (flags: Record<string, unknown>) => loadConfig({ env: {}, flags }).warnings;

  it('a node that may create no streams, and yet creates the bucket of the epochs, is named', () => {
    const nats = { 'nats.url': 'nats://127.0.0.1', namespaces: { a: { public: true } } };
    expect(warningsOf({ ...nats, 'nats.manageStreams': false, 'nats.epochStorage': 'memory' })).toEqual([
      expect.stringContaining('nats.epochStorage: memory'),
    ]);
    expect(warningsOf({ ...nats, 'nats.manageStreams': false })).toEqual([]);
    expect(warningsOf({ ...nats, 'nats.epochStorage': 'memory' })).toEqual([]);
  });

  it('name staleAfterMs below which the loss of NATS is told late', () => {
    const nats = { 'nats.url': 'nats://localhost:4222' };
    const namespaces = (staleAfterMs: number) => ({ namespaces: { a: { public: true, staleAfterMs }, b: { public: true } } });
    expect(warningsOf({ ...nats, ...namespaces(9999) })).toEqual([expect.stringContaining('namespaces.a.staleAfterMs is 9999')]);
    expect(warningsOf({ ...nats, ...namespaces(10_000) })).toEqual([]);
    // Without NATS there is nothing to lose.
    expect(warningsOf(namespaces(2000))).toEqual([]);
  });

  it('names the namespaces that cannot be used without auth keys', () => {
    expect(warningsOf({})).toEqual(['no client can subscribe in chat, user: not public, and neither auth.keys nor auth.jwksUrl is set']);
    expect(warningsOf({ namespaces: { a: { public: true, clientPublish: true } } })).toEqual([
      'no client can publish in a: this needs a token, and neither auth.keys nor auth.jwksUrl is set',
    ]);
  });

  it('has no warning if tokens can be verified, or none are needed', () => {
    expect(warningsOf({ 'auth.keys': [{ alg: 'HS256', secret: SECRET }] })).toEqual([]);
    expect(warningsOf({ 'auth.jwksUrl': 'https://a/jwks' })).toEqual([]);
    expect(warningsOf({ namespaces: { a: { public: true } } })).toEqual([]);
  });

  it('names namespaces that differ in case only', () => {
    expect(warningsOf({ namespaces: { a: { public: true }, A: { public: true } } })).toEqual(['namespaces a and A differ in case only']);
  });
});
