import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { NodeProcess } from '../support/node-process.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

/** Labels that Prometheus and Kubernetes add. */
const ADDED = new Set(['job', 'instance', 'namespace', 'pod']);
const SELECTOR = /\b((?:stentor|process|nodejs)_[a-z0-9_]+)(?:\{([^}]*)\})?/g;
const GROUPING = /\b(?:by|on|without)\s*\(([^)]*)\)/g;

interface Query {
  readonly where: string;
  readonly expr: string;
}

/** Every query that we give to operators. */
function queries(): Query[] {
  const { groups } = parse(read('helm/stentor/rules/stentor.yaml')) as { groups: { rules: { alert: string; expr: string }[] }[] };
  const { panels } = JSON.parse(read('helm/stentor/dashboards/stentor.json')) as {
    panels: { title: string; targets?: { expr: string }[] }[];
  };
  const [, yaml = ''] = /adapter:start[\s\S]*?```yaml\n([\s\S]*?)```/.exec(read('helm/stentor/README.md')) ?? [];
  const { rules: adapter } = parse(yaml) as { rules: { name: { as: string }; seriesQuery: string; metricsQuery: string }[] };
  return [
    ...groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ where: alert, expr }))),
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expr }))),
    ...adapter.map(({ name, seriesQuery, metricsQuery }) => {
      const [, series = ''] = /^(\w+)/.exec(seriesQuery) ?? [];
      const expr = metricsQuery.replace('<<.Series>>', series).replace('<<.LabelMatchers>>', 'pod="a"').replace('<<.GroupBy>>', 'pod');
      return { where: `adapter ${name.as}`, expr: `${expr} and ${seriesQuery}` };
    }),
  ];
}

/** Labels of each series of a text of metrics, by name. */
function seriesOf(exposed: string): Map<string, Map<string, Set<string>>> {
  const found = new Map<string, Map<string, Set<string>>>();
  for (const [, name = '', labels = ''] of exposed.matchAll(/^([a-z_0-9]+)(?:\{(.*)\})? \S+$/gm)) {
    const known = found.get(name) ?? new Map<string, Set<string>>();
    found.set(name, known);
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      known.set(label, (known.get(label) ?? new Set()).add(value));
    }
  }
  return found;
}

function labelsIn(text: string): string[] {
  const [, labels = ''] = /labelNames: \[([^\]]*)\]/.exec(text) ?? [];
  return [...labels.matchAll(/'(\w+)'/g)].map(([, label = '']) => label);
}

/** Of metrics that have no series until something rare happens: the labels in the code. */
function declaredLabels(name: string): string[] | undefined {
  const family = name.replace(/_(bucket|count|sum)$/, '');
  if (/^stentor_hook(_module)?_seconds$/.test(family)) return labelsIn(read('src/telemetry/hook-metrics.ts'));
  for (const file of [
    'src/hub/hub-metrics.ts',
    'src/hub/watched-metrics.ts',
    'src/worker/metrics/delivery.ts',
    'src/worker/metrics/session.ts',
    'src/worker/metrics/transport.ts',
    'src/hub/certificates.ts',
    'src/telemetry/hook-metrics.ts',
    'src/hub/sanitizing/sanitizer-metrics.ts',
  ]) {
    const at = read(file).indexOf(`'${family}'`);
    if (at < 0) continue;
    return labelsIn(read(file).slice(at, at + 600));
  }
  return undefined;
}

describe('the queries of the dashboard, the alerts and the autoscaler', () => {
  let node: NodeProcess;
  let exposed: Map<string, Map<string, Set<string>>>;

  beforeAll(async () => {
    // As in production, with a worker: then the metrics say which process they are of.
    node = NodeProcess.launch({
      workers: 1,
      namespaces: { scores: { public: true }, chat: { public: true, clientPublish: true, presence: 'count' } },
    });
    await node.untilStarted(1);
    const client = await node.connect({ encoding: 'json' });
    await client.subscribe('chat.a');
    await client.ask({ type: 'publish', topic: 'chat.a', key: 'k', data: 1 });
    await (await node.connect()).close();
    exposed = seriesOf(await (await node.admin('/metrics')).text());
  });
  afterAll(() => node.kill9());

  it.each(queries())('$where: $expr', ({ expr }) => {
    const names = new Set<string>();
    const labels = new Set<string>();
    for (const [, name = '', matchers = ''] of expr.matchAll(SELECTOR)) {
      names.add(name);
      const known = exposed.get(name);
      const own = known === undefined ? declaredLabels(name) : [...known.keys()];
      expect(own, `${name} is not there`).toBeDefined();
      for (const label of [...(own ?? []), ...(name.endsWith('_bucket') ? ['le'] : [])]) labels.add(label);
      for (const [, label = '', operator = '', value = ''] of matchers.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)) {
        if (ADDED.has(label)) continue;
        expect(own, `${name} has no label ${label}`).toContain(label);
        // Values that a node always has: a process that is spelt otherwise would select nothing.
        if (label === 'process' && operator.startsWith('=')) {
          for (const each of value.split('|')) expect([...(known?.get(label) ?? [])], `${label}="${each}"`).toContain(each);
        }
      }
    }
    expect(names.size).toBeGreaterThan(0);
    for (const [, list = ''] of expr.matchAll(GROUPING)) {
      for (const label of list
        .split(',')
        .map((text) => text.trim())
        .filter((text) => text !== '' && !ADDED.has(text))) {
        expect([...labels], `grouped by ${label}`).toContain(label);
      }
    }
  });
});
