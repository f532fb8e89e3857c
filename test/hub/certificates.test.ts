import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, describe, expect, it } from 'vitest';
import type { TlsMaterial } from '../../src/config/certificates.ts';
import { loadConfig } from '../../src/config/load.ts';
import { Certificates } from '../../src/hub/certificates.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { KeyFiles, type KeyPair, makeCertificates } from '../support/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'stentor-renewal-'));
const certs = makeCertificates(folder);
const renewed = certs.sign('renewed', { altNames: 'IP:127.0.0.1', days: 30 });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function setUp() {
  const files = new KeyFiles(folder, certs.server);
  const { certFile, keyFile } = files;
  const put = (pair: KeyPair) => files.put(pair);
  const { config } = loadConfig({ env: {}, flags: { 'tls.certFile': certFile, 'tls.keyFile': keyFile } });
  const lines: { readonly level: string; readonly msg: string; readonly why?: string }[] = [];
  const registry = new Registry();
  const used: TlsMaterial[] = [];
  /** What `use` waits for; it fails if this fails. */
  const gate: { open: () => Promise<void> } = { open: async () => undefined };
  const clock = { nowMs: 0 };
  const certificates = new Certificates({
    tls: config.tls,
    checkIntervalMs: 3_600_000,
    registry,
    logger: createLogger({ level: 'info', pretty: false }, { write: (line) => void lines.push(JSON.parse(line)) }),
    nowMs: () => clock.nowMs,
    use: async (material) => {
      used.push(material);
      await gate.open();
    },
  });
  /** Resolves when what a check began has ended. */
  const check = async () => {
    certificates.check();
    await certificates.stop();
  };
  const metric = async (name: string, labels: Record<string, string>) => {
    const found = (await registry.getMetricsAsJSON()).find((each) => each.name === name);
    return found?.values.find((value) => JSON.stringify(value.labels) === JSON.stringify(labels))?.value as number;
  };
  const daysLeft = async () =>
    Math.round(((await metric('stentor_tls_certificate_expires_timestamp_seconds', { name: 'default' })) - Date.now() / 1000) / 86_400);
  const renewals = async () => Promise.all(['used', 'refused'].map((result) => metric('stentor_tls_renewals_total', { result })));
  const current = () => (certificates.current.cert === readFileSync(renewed.cert, 'utf8') ? 'renewed' : 'first');
  return { certificates, certFile, keyFile, put, lines, used, gate, clock, check, daysLeft, renewals, current };
}

describe('certificates', () => {
  it('are not put into use again while the files stay the same', async () => {
    const { check, used, daysLeft, current } = setUp();
    await check();
    expect([used, await daysLeft(), current()]).toEqual([[], 2, 'first']);
  });

  it('that have been renewed are put into use once, and their expiry is shown', async () => {
    const { put, check, used, daysLeft, renewals, current, lines } = setUp();
    put(renewed);
    await check();
    await check();
    expect(used.map(({ cert }) => cert)).toEqual([readFileSync(renewed.cert, 'utf8')]);
    expect([await daysLeft(), await renewals(), current()]).toEqual([30, [1, 0], 'renewed']);
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([['info', 'certificates renewed']]);
  });

  it('whose key has not come yet are refused, logged once, and used when it comes', async () => {
    const { certFile, put, check, used, daysLeft, renewals, current, lines } = setUp();
    copyFileSync(renewed.cert, certFile);
    await check();
    await check();
    expect([used, await daysLeft(), await renewals(), current()]).toEqual([[], 2, [0, 1], 'first']);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level: 'error',
      msg: expect.stringMatching(/the last ones stay in use/),
      why: expect.stringMatching(/^tls\.keyFile/),
    });
    put(renewed);
    await check();
    expect([used.length, await daysLeft(), current()]).toEqual([1, 30, 'renewed']);
  });

  it.each([
    ['rubbish', 'rubbish'],
    ['nothing', ''],
  ])('that are replaced by %s stay in use', async (_, text) => {
    const { certFile, check, used, daysLeft, renewals, current } = setUp();
    writeFileSync(certFile, text);
    await check();
    expect([used, await daysLeft(), await renewals(), current()]).toEqual([[], 2, [0, 1], 'first']);
  });

  it('that are removed stay in use', async () => {
    const { keyFile, check, renewals, current } = setUp();
    rmSync(keyFile);
    await check();
    expect([await renewals(), current()]).toEqual([[0, 1], 'first']);
  });

  it('that cannot be put into use are not kept, and are tried again after a minute', async () => {
    const { put, check, gate, clock, used, renewals, daysLeft, current } = setUp();
    put(renewed);
    gate.open = async () => {
      throw new Error('no process is left');
    };
    await check();
    clock.nowMs = 59_999;
    await check();
    expect([used.length, await renewals(), await daysLeft(), current()]).toEqual([1, [0, 1], 2, 'first']);
    clock.nowMs = 60_000;
    gate.open = async () => undefined;
    await check();
    expect([used.length, await renewals(), current()]).toEqual([2, [1, 1], 'renewed']);
  });

  it('that change while others are put into use wait for them', async () => {
    const { certificates, put, check, gate, used } = setUp();
    let open: () => void = () => undefined;
    gate.open = () =>
      new Promise((resolve) => {
        open = resolve;
      });
    put(renewed);
    certificates.check();
    put(certs.server);
    certificates.check();
    expect(used).toHaveLength(1);
    open();
    await certificates.stop();
    gate.open = async () => undefined;
    await check();
    expect(used.map(({ cert }) => cert)).toEqual([renewed, certs.server].map(({ cert }) => readFileSync(cert, 'utf8')));
  });

  it('that cannot be read at the start are a problem of the configuration', () => {
    const tls = { certFile: join(folder, 'none'), keyFile: join(folder, 'none'), caFile: '', serverNames: [], terminatedUpstream: false };
    const logger = createLogger({ level: 'silent', pretty: false });
    const make = () => new Certificates({ tls, checkIntervalMs: 1000, registry: new Registry(), logger, use: async () => undefined });
    expect(make).toThrow(expect.objectContaining({ code: 'bad_config' }));
  });
});
