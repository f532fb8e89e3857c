import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DEFAULT_CONSTANTS } from '../../src/bench/plan/default-constants.ts';
import { type NatsWork, simulateNats, smallestLayout } from '../../src/bench/plan/nats-servers.ts';
import { runCli } from '../cli/run-cli.ts';

const TEXT = readFileSync(new URL('../../src/SCALING.md', import.meta.url), 'utf8');

/** The cells of the rows of a table between two comments, without its head. */
function rowsOf(table: string): string[][] {
  const [, part = ''] = new RegExp(`<!-- ${table}:start.*?-->([\\s\\S]*?)<!-- ${table}:end -->`).exec(TEXT) ?? [];
  const lines = part.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

const whole = (value: number) => Math.round(value).toLocaleString('en');

it.each(rowsOf('layouts'))(
  'the reference layout of %s connections is what stentor plan says',
  async (_, command = '', nodes, connections, cpu, memory) => {
    const { stdout } = await runCli(['plan', ...command.replaceAll('`', '').split(' '), '--payload', '200', '--json']);
    const plan = JSON.parse(stdout);
    expect([nodes, connections, cpu, memory]).toEqual([
      `${plan.nodes} of ${plan.workersPerNode + 1} cores (${plan.nodes === 1 ? plan.because : `one less: the workers' CPU`})`,
      whole(plan.node.connections),
      `${plan.node.hubAndWorkersCores.toFixed(1)} cores`,
      `${whole(plan.node.memoryBytes / 2 ** 20)} MiB`,
    ]);
  },
);

it.each(rowsOf('nats'))('what NATS servers carry with %s nodes and %s publications a second is what the simulation says', (...cells) => {
  const [nodes = 0, publicationsPerSecond = 0] = cells.slice(0, 2).map((cell) => Number(cell.replaceAll(',', '')));
  const layoutsOf = [true, false].flatMap((durable) => {
    const work: NatsWork = { nodes, publicationsPerSecond, ofNodePerSecond: publicationsPerSecond, messageBytes: 380, durable };
    const layout = smallestLayout(DEFAULT_CONSTANTS, work) ?? { kind: 'one' };
    const servers = simulateNats(DEFAULT_CONSTANTS, work, layout);
    const most = (of: (server: (typeof servers)[number]) => number) => Math.max(...servers.map(of)).toFixed(2);
    const name = { one: 'one server', cluster: `a cluster of ${servers.length}`, mirrors: `one and ${servers.length - 1} mirrors` }[
      layout.kind
    ];
    return [name, `${most(({ cores }) => cores)} cores, ${most(({ bitsPerSecond }) => bitsPerSecond / 1e9)} Gbit/s`];
  });
  expect(cells.slice(2)).toEqual(layoutsOf);
});
