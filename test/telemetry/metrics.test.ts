import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CliProcess } from '../cli/run-cli.ts';
import { makeCertificates } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
/** What a histogram's name becomes in queries. */
const withoutSeries = (name: string) => name.replace(/_(bucket|count|sum)$/, '');

/** They exist only with hooks, and those over NATS only with NATS. */
const OF_HOOKS = ['src/hub/hub.ts', 'src/worker/worker.ts'].flatMap((file) =>
  Array.from(read(file).matchAll(/new HookMetrics\('(\w+)'/g), ([, name]) => name as string),
);

describe('the metrics of a running node', () => {
  let node: CliProcess;
  let folder: string;
  let exposed = '';

  beforeAll(async () => {
    // Metrics of presence and of sanitizing exist only if a namespace has it, and those of certificates only with TLS.
    folder = mkdtempSync(join(tmpdir(), 'stentor-metrics-'));
    const { cert, key } = makeCertificates(folder).server;
    const tls = [`tls.certFile=${cert}`, `tls.keyFile=${key}`, 'admin.tls=false'];
    const options = ['namespaces.scores.presence=count', 'namespaces.chat.sanitize=text', ...tls];
    const settings = ['log.pretty=false', ...options].flatMap((setting) => ['--set', setting]);
    node = new CliProcess(['serve', '--port', String(freePort()), '--admin-port', '0', ...settings]);
    const [, port] = await node.until(/"adminPort":(\d+).*node started/);
    exposed = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  });
  afterAll(async () => {
    await node.kill();
    rmSync(folder, { recursive: true });
  });

  it('are those of the table in src/OPERATING.md, each with its type', () => {
    const rows = read('src/OPERATING.md').matchAll(/^\| `((?:stentor|process|nodejs)_\w+)` \| (\w+) \|/gm);
    const documented = Array.from(rows, ([, name, type]) => `${name} ${type}`);
    const running = Array.from(exposed.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name, type]) => `${name} ${type}`);
    expect(documented.toSorted()).toEqual([...running, ...OF_HOOKS.map((name) => `${name} histogram`)].toSorted());
  });

  it("follow Prometheus' naming: a full unit at the end, _total for counters", () => {
    for (const [, name = '', type] of exposed.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      expect(name).toMatch(/^(stentor|process|nodejs)_[a-z0-9_]+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name).not.toMatch(/(_ms|_millis|_kb|_mb|_count|_sum|_bucket)(_total)?$/);
    }
  });

  it('are the only ones that the alerts and the dashboard ask for', () => {
    expect(OF_HOOKS).toHaveLength(2);
    const known = new Set([...Array.from(exposed.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name), ...OF_HOOKS]);
    const rules = parse(read('helm/stentor/rules/stentor.yaml')) as { groups: { rules: { expr: string }[] }[] };
    const dashboard = read('helm/stentor/dashboards/stentor.json');
    const asked = [...rules.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)), dashboard].join('\n');
    const names = new Set(Array.from(asked.matchAll(/\b(?:stentor|process|nodejs)_[a-z0-9_]+\b/g), ([name]) => withoutSeries(name)));
    expect([...names].filter((name) => !known.has(name))).toEqual([]);
    expect(names.size).toBeGreaterThan(20);
  });
});

describe('the operating guide', () => {
  const guide = read('src/OPERATING.md');

  it('has a line for every error code, close code and alert', () => {
    const errors = [...read('src/protocol/errors.ts').matchAll(/^ {2}(\w+): \{/gm)].map(([, code]) => `| \`${code}\` |`);
    const closes = [...read('src/protocol/close-codes.ts').matchAll(/^ {2}\w+: (4\d{3}),/gm)].map(([, code]) => `| ${code} |`);
    expect(errors.length).toBeGreaterThan(15);
    expect(closes.length).toBeGreaterThan(5);
    const alerts = [...read('helm/stentor/rules/stentor.yaml').matchAll(/- alert: (\w+)/g)].map(([, alert = '']) => alert);
    expect(alerts.length).toBeGreaterThan(10);
    expect(alerts.filter((alert) => !guide.includes(alert))).toEqual([]);
    expect([...errors, ...closes].filter((row) => !guide.includes(row))).toEqual([]);
  });

  it('names no setting that does not exist', () => {
    const reference = read('src/config/REFERENCE.md');
    const paths = [...guide.matchAll(/`((?:nats|limits|hub|fanout|memory|admin|auth|heartbeat|log)\.[a-z]\w+)`/g)].map(([, path]) => path);
    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path) => !reference.includes(`| \`${path}\` |`))).toEqual([]);
  });
});
