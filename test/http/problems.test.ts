import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { NodeAnswer, NodesAnswer } from '../../src/http/api/schemas/nodes.ts';
import type { SeriesAnswer } from '../../src/http/api/schemas/series.ts';
import { helpOf, problemsOf } from '../../src/http/page/problems.ts';
import type { ErrorLine } from '../../src/http/page/rates.ts';
import { latestOf, linesOf, timeRange } from '../../src/http/page/series.ts';
import { SERIES_FIELDS } from '../../src/hub/series/fields.ts';
import { CLOSE_CODES } from '../../src/protocol/close-codes.ts';
import { ERROR_KINDS } from '../../src/protocol/errors.ts';

const NODE = { notReady: null, workersSilent: 0 } as NodeAnswer;
const SELF = {
  nodeId: 'a',
  self: true,
  silent: false,
  notReady: null,
  connections: 10,
  connectionsMax: 100,
  lagging: 0,
  clockOffsetMs: 0,
  heardMsAgo: 0,
};
const nodes = (...changes: Partial<NodesAnswer['nodes'][number]>[]) =>
  changes.map((change) => ({ ...SELF, ...change }) as NodesAnswer['nodes'][number]);
const error = (kind: ErrorLine['kind'], code: string, since = 1): ErrorLine => ({ kind, code, count: 5, since });
const found = (change: Partial<Parameters<typeof problemsOf>[0]>) =>
  problemsOf({ node: NODE, nodes: nodes({}), series: undefined, errors: [], ...change }).map(({ tone, help }) => `${tone} ${help}`);

/** One node with the same value in every column but these. */
function series(
  ...all: { nodeId: string; atMs: number[]; values: Partial<Record<keyof SeriesAnswer['series'][number], (number | null)[]>> }[]
): SeriesAnswer {
  return {
    intervalMs: 10_000,
    nodes: all.length,
    nodesSilent: [],
    series: all.map(({ nodeId, atMs, values }, at) => {
      const columns = Object.fromEntries(SERIES_FIELDS.map((name) => [name, atMs.map(() => 0)]));
      return { nodeId, self: at === 0, atMs, ...columns, ...values } as SeriesAnswer['series'][number];
    }),
  };
}

describe('what needs attention', () => {
  it('is nothing where all is well', () => {
    const usual = [error('closed', '1001'), error('closed', '4200'), error('sent', 'busy', 0)];
    expect(found({ errors: usual, series: series({ nodeId: 'a', atMs: [10_000], values: {} }) })).toEqual([]);
  });

  it('comes worst first, each with its line in the help page', () => {
    expect(
      found({
        node: { ...NODE, notReady: 'the bus is not connected', workersSilent: 2 },
        nodes: nodes(
          { connections: 95 },
          { self: false, silent: true, nodeId: 'b' },
          { self: false, notReady: 'draining', nodeId: 'c', connections: 100, lagging: 20 },
          { self: false, clockOffsetMs: -700, nodeId: 'd' },
        ),
        series: series({ nodeId: 'a', atMs: [10_000], values: { publishToSocketP99Ms: [2000], loopLagMs: [400] } }),
        errors: [
          error('sent', 'busy'),
          error('sent', 'internal'),
          error('closed', '4103'),
          error('refused', '503'),
          error('skipped', 'malformed'),
        ],
      }),
    ).toEqual([
      'bad sign-not-ready',
      'bad sign-silent',
      'bad sign-not-ready',
      'bad sign-worker-silent',
      'bad sign-full',
      'bad error-internal',
      'warn sign-full',
      'warn sign-lagging',
      'warn sign-slow',
      'warn sign-loop-lag',
      'warn sign-clock',
      'warn error-busy',
      'warn close-4103',
      'warn http-503',
      'warn sign-skipped-malformed',
    ]);
  });

  it('is explained in the help page: every sign, error code and close code', () => {
    const help = readFileSync(new URL('../../dist/http/page/help.html', import.meta.url), 'utf8');
    const signs = ['not-ready', 'silent', 'worker-silent', 'full', 'lagging', 'slow', 'loop-lag', 'clock'].map((sign) => `sign-${sign}`);
    const skipped = ['malformed', 'too_big', 'wrong_depth', 'bad_token', 'key_mismatch'].map((reason) => helpOf('skipped', reason));
    const codes = Object.keys(ERROR_KINDS).map((code) => helpOf('sent', code));
    const closes = Object.values(CLOSE_CODES).map((code) => helpOf('closed', String(code)));
    const statuses = ['400', '401', '403', '404', '426', '429', '431', '503', '505'].map((status) => helpOf('refused', status));
    for (const id of [...signs, ...skipped, ...codes, ...closes, ...statuses]) expect(help).toContain(`id="${id}"`);
    expect(help).not.toContain('](');
  });
});

describe('lines of a chart', () => {
  it('are one for each node, and one for all together', () => {
    const two = series(
      { nodeId: 'a', atMs: [10_000, 20_000, 30_000], values: { connections: [1, 2, 3], loopLagMs: [5, 1, 1] } },
      // Its clock is a little late.
      { nodeId: 'b', atMs: [12_000, 22_000, 32_000], values: { connections: [10, 20, 30], loopLagMs: [2, 9, null] } },
    );
    const sums = linesOf(two, 'connections', 'sum');
    expect(sums.times).toEqual([10, 20, 30]);
    expect(sums.lines.map(({ name, values }) => [name, ...values])).toEqual([
      ['all nodes', 11, 22, 33],
      ['a', 1, 2, 3],
      ['b', 10, 20, 30],
    ]);
    expect(linesOf(two, 'loopLagMs', 'max').lines[0]).toEqual({ name: 'highest', isTotal: true, values: [5, 9, 1] });
    expect(linesOf(two, 'connections', 'sum', 'b').lines).toEqual([{ name: 'b', isTotal: true, values: [10, 20, 30] }]);
    expect(latestOf(sums)).toBe(33);
  });

  it('carry a value over one missing interval, and show a longer gap', () => {
    const gaps = series({ nodeId: 'a', atMs: [0, 20_000, 70_000], values: { connections: [1, 2, 3] } });
    expect(linesOf(gaps, 'connections', 'sum').lines[0]?.values).toEqual([1, 1, 2, null, null, null, null, 3]);
    expect(latestOf(linesOf(series(), 'connections', 'sum'))).toBeNull();
  });

  it('are over at least five minutes, also if there is one point or none', () => {
    expect(timeRange(3000, 3000)).toEqual([2700, 3000]);
    expect(timeRange(null, 3000)).toEqual([2700, 3000]);
    expect(timeRange(0, 3600)).toEqual([0, 3600]);
  });
});
