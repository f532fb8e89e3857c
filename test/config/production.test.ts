import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { problemsOf } from './helpers.ts';

/** All that production needs. */
const SAFE = {
  production: true,
  'tls.terminatedUpstream': true,
  'auth.jwksUrl': 'https://id.example.org/keys',
  allowedOrigins: 'https://www.example.org',
};
const problems = (flags: Record<string, unknown>) => problemsOf(() => loadConfig({ env: {}, flags: { ...SAFE, ...flags } }));

describe('production: true', () => {
  it('accepts a node that has TLS in front of it, keys and origins', () => {
    expect(loadConfig({ env: {}, flags: SAFE }).config.production).toBe(true);
    expect(loadConfig({ env: {}, flags: { ...SAFE, allowedOrigins: 'none' } }).config.allowedOrigins).toEqual(['none']);
    expect(loadConfig({ env: {}, flags: { ...SAFE, 'admin.token': 'x'.repeat(16) } }).config.production).toBe(true);
  });

  it('refuses everything that is missing at once, and names each setting', () => {
    const all = problemsOf(() => loadConfig({ env: {}, flags: { production: true, 'admin.token': 'short' } }));
    expect(all.map((problem) => problem.match(/^[^ :]+/)?.[0])).toEqual(['tls.certFile', 'auth.keys', 'admin.token', 'allowedOrigins']);
    for (const problem of all) expect(problem).toContain('because production is true');
  });

  it.each([
    ['without TLS', { 'tls.terminatedUpstream': false }, /^tls\.certFile: .*tls\.terminatedUpstream/],
    ['without keys', { 'auth.jwksUrl': '' }, /^auth\.keys: .*auth\.jwksUrl/],
    ['with a short token for operators', { 'admin.token': 'x'.repeat(15) }, /^admin\.token: .*16 characters/],
    ['without origins', { allowedOrigins: '' }, /^allowedOrigins: .*`none`/],
  ])('refuses a node %s, and says what to change', (_, flags, message) => {
    const [problem, ...others] = problems(flags);
    expect(problem).toMatch(message);
    expect(others).toEqual([]);
  });
});
