import { describe, expect, it } from 'vitest';
import type { NatsCheck } from '../../src/bus/nats/check-nats.ts';
import { loadConfig } from '../../src/config/load.ts';
import { judgeClock } from '../../src/doctor/clock.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { judgeMachine } from '../../src/doctor/machine.ts';
import { type MachineFacts, readMachine } from '../../src/doctor/machine-facts.ts';
import { judgeNats } from '../../src/doctor/nats.ts';

const stateOf = (findings: readonly Finding[], check: string) => findings.find((finding) => finding.check === check)?.state;

describe('a machine', () => {
  const GOOD: MachineFacts = {
    platform: 'linux',
    nodeVersion: 'v22.12.0',
    glibc: '2.39',
    cores: 8,
    descriptors: 1_048_576,
    tcpWmem: [4096, 16_384, 262_144],
    somaxconn: 4096,
    uws: { source: 'uws-pack' },
  };
  const judged = (facts: Partial<MachineFacts>, flags: Record<string, unknown> = {}) =>
    judgeMachine({ ...GOOD, ...facts }, loadConfig({ env: {}, flags }).config);

  it('is fine, or its findings say what to do', () => {
    expect(judged({}).map(({ state }) => state)).not.toContain('warning');
    for (const [facts, check, state] of [
      [{ glibc: undefined }, 'platform', 'problem'],
      [{ platform: 'darwin', glibc: undefined }, 'platform', 'warning'],
      [{ uws: { error: 'no build loads\n  uws-pack: not installed' } }, 'uws', 'problem'],
      [{ cores: 0 }, 'workers', 'warning'],
      [{ descriptors: 1024 }, 'descriptors', 'problem'],
      [{ descriptors: 65_536 }, 'descriptors', 'warning'],
      [{ tcpWmem: [4096, 16_384, 4_194_304] }, 'tcp_wmem', 'warning'],
      [{ somaxconn: 128 }, 'somaxconn', 'warning'],
    ] as const) {
      const findings = judged(facts);
      expect([check, stateOf(findings, check)]).toEqual([check, state]);
      for (const finding of findings) expect(finding.advice !== undefined).toBe(finding.state !== 'ok');
    }
  });

  it('needs no more than the config asks for', () => {
    expect(stateOf(judged({ descriptors: 1024 }, { 'limits.connectionsPerWorkerMax': 900 }), 'descriptors')).toBe('ok');
    expect(stateOf(judged({ cores: 4 }, { workers: 5 }), 'workers')).toBe('warning');
    expect(judged({ descriptors: undefined, tcpWmem: undefined, somaxconn: undefined }).map(({ check }) => check)).toEqual([
      'platform',
      'uws',
      'workers',
    ]);
  });

  it('of these tests can be read', async () => {
    const facts = await readMachine();
    expect(facts.uws).toHaveProperty('source');
    if (process.platform === 'linux') expect([facts.glibc, facts.tcpWmem?.length]).toEqual([expect.stringMatching(/^2\.\d+/), 3]);
  });
});

describe('NATS', () => {
  const CHECK: NatsCheck = {
    servers: 'nats://a',
    version: '2.12.6',
    roundTripMs: 1,
    clockOffsetMs: 3,
    denied: [],
    streams: [{ namespace: 'scores' }],
  };
  const judged = (check: Partial<NatsCheck>, manageStreams = true) => judgeNats({ ...CHECK, ...check }, { manageStreams });

  it('is fine, or its findings say what to do', () => {
    expect(new Set(judged({}).map(({ state }) => state))).toEqual(new Set(['ok']));
    const versions = ['2.12.6', '2.13.0', '3.0.0', '2.12.10', '2.12.5', '2.9.25'].map((version) =>
      stateOf(judged({ version }), 'nats_version'),
    );
    expect(versions).toEqual(['ok', 'ok', 'ok', 'ok', 'warning', 'warning']);
    expect(stateOf(judged({ roundTripMs: 80 }), 'nats_round_trip')).toBe('warning');
    expect(stateOf(judged({ denied: ['NATS denies it'] }), 'nats_permissions')).toBe('problem');
    expect(judged({ clockOffsetMs: undefined }).map(({ check }) => check)).not.toContain('nats_clock');
  });

  it('may lack streams where the node creates them', () => {
    const missing = { streams: [{ namespace: 'scores', problem: { code: 'stream_missing', message: 'it does not exist' } }] };
    expect(stateOf(judged(missing), 'stream_scores')).toBe('ok');
    expect(stateOf(judged(missing, false), 'stream_scores')).toBe('problem');
    const other = { streams: [{ namespace: 'scores', problem: { code: 'stream_mismatch', message: 'it differs' } }] };
    expect(stateOf(judged(other), 'stream_scores')).toBe('problem');
  });
});

describe('a clock', () => {
  it('is fine within half a second, and wrong beyond five', () => {
    expect([0, -500, 501, -5000, 5001, -90_000].map((offset) => judgeClock('c', 'x', offset).state)).toEqual([
      'ok',
      'ok',
      'warning',
      'warning',
      'problem',
      'problem',
    ]);
    expect(judgeClock('c', 'node b', -90_000).text).toBe('the clock of node b is 1 min 30 s behind the clock of this machine');
  });
});
