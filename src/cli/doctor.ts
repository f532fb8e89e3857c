import { Command } from 'commander';
import type { NodesAnswer } from '../http/api/schemas/nodes.ts';
import { counted } from '../telemetry/format.ts';
import { AdminApi } from './admin/admin-api.ts';
import { type AdminOptions, addAdminOptions } from './admin/admin-options.ts';
import { CliError } from './errors.ts';
import { loadFromOptions } from './options.ts';
import { print } from './output.ts';

const MARKS = { ok: 'ok      ', warning: 'warning ', problem: 'PROBLEM ' } as const;

export function doctorCommand(): Command {
  const command = new Command('doctor').description(
    'check this machine, its NATS and the clocks for a node with this configuration. It changes nothing. Exit code 1 if there is a problem',
  );
  return addAdminOptions(command)
    .action(runDoctor)
    .addHelpText(
      'after',
      `
Run it where the node runs, or will run, as the same user (limits of open files depend on it) and with the same file, variables and --set. If a node answers on
the admin port, the clocks of all nodes are compared too.

It checks: Node.js, glibc and uWebSockets.js; workers and cores; open files; net.ipv4.tcp_wmem and net.core.somaxconn; version, permissions, streams and
round trip of NATS; clocks.

Examples:
  $ stentor doctor --config stentor.yaml
  $ stentor doctor --json | jq '.findings[] | select(.state != "ok")'`,
    );
}

async function runDoctor(options: AdminOptions): Promise<void> {
  const { config, warnings } = await loadFromOptions(options);
  // Loaded here, because it loads uWebSockets.js and the NATS client.
  const [{ examine }, { judgeClock }] = await Promise.all([import('../doctor/doctor.ts'), import('../doctor/clock.ts')]);
  const nodes = await nodesOf(options);
  const findings = [
    ...warnings.map((text) => ({ check: 'config', state: 'warning' as const, text, advice: undefined })),
    ...(await examine(config)),
    ...clocksOf(nodes).map(({ nodeId, clockOffsetMs }) => judgeClock('node_clock', `node ${nodeId}`, clockOffsetMs)),
  ];
  const problems = findings.filter(({ state }) => state === 'problem').length;
  if (options.json) print(JSON.stringify({ findings, problems }));
  else {
    for (const { state, text, advice } of findings) {
      print(`${MARKS[state]} ${text}`);
      if (advice !== undefined) print(`${' '.repeat(MARKS.ok.length)} → ${advice}`);
    }
    if (nodes === undefined) print('note     no node answers on the admin port: clocks of other nodes were not compared');
  }
  if (problems > 0) throw new CliError('unhealthy', `${counted(problems, 'problem')}: see above`);
}

/** Undefined: no node answers. */
async function nodesOf(options: AdminOptions): Promise<NodesAnswer['nodes'] | undefined> {
  try {
    return (await (await AdminApi.from(options, 'read')).get<NodesAnswer>('nodes')).nodes;
  } catch (error) {
    if (error instanceof CliError && error.exitCode === 1) return undefined;
    throw error;
  }
}

function clocksOf(nodes: NodesAnswer['nodes'] = []): { nodeId: string; clockOffsetMs: number }[] {
  return nodes.flatMap(({ nodeId, self, silent, clockOffsetMs }) => (self || silent ? [] : [{ nodeId, clockOffsetMs }]));
}
