import { Command } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import type { DemoOptions, RunningNode } from '../node.ts';
import { createLogger, type Logger } from '../telemetry/log.ts';
import { demoInvitation, demoSettings } from './demo.ts';
import { addConfigOptions, type ConfigOptions, loadFromOptions } from './options.ts';
import { print } from './output.ts';

/** Read as early as possible: if the parent ends while the node starts, a later comparison shows it. */
const PARENT_PID = process.ppid;
const PARENT_CHECK_MS = 250;

interface ServeOptions extends ConfigOptions {
  readonly port?: string;
  readonly adminPort?: string;
  readonly workers?: string;
  readonly demo?: true;
  /** False with --no-feeds. */
  readonly feeds: boolean;
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('run a node: it reads from NATS (or the embedded memory bus) and serves WebSocket clients')
    .option('-p, --port <port>', 'same as --set port=<port>')
    .option('--admin-port <port>', 'same as --set admin.port=<port>')
    .option('-w, --workers <count>', 'same as --set workers=<count>')
    .option('--demo', 'also publish demo feeds, serve the demo pages, and print commands to try')
    .option('--no-feeds', 'with --demo: publish no feeds, because another node on the same NATS does');
  return addConfigOptions(command)
    .action(runServe)
    .addHelpText(
      'after',
      `
The settings: stentor config --reference. SIGTERM or SIGINT drains the node; it then exits with code 0. A second signal ends it at once.

Examples:
  $ stentor serve --demo
  $ stentor serve --demo --no-feeds --nats-url nats://localhost:4222 --port 8081 --admin-port 9091
  $ stentor serve --config stentor.yaml --workers 4
  $ STENTOR_NATS_URL=nats://localhost:4222 stentor serve --set namespaces.chat.public=true`,
    );
}

async function runServe(options: ServeOptions): Promise<void> {
  const flags = { port: options.port, 'admin.port': options.adminPort, workers: options.workers };
  if (!options.demo) return void (await run(await loadFromOptions(options, flags)));
  const settings = await demoSettings((more, base) => loadFromOptions(options, { ...flags, ...more }, base));
  const { loaded, visitorSecret } = settings;
  const node = await run(loaded, { feeds: options.feeds, visitorSecret });
  print(demoInvitation(loaded.config, node, settings));
}

async function run({ config, warnings }: LoadedConfig, demo?: DemoOptions): Promise<RunningNode> {
  const log = createLogger(config.log);
  for (const warning of warnings) log.warn(warning);
  // Loaded here, so that the other commands do not load uWebSockets.
  const { startNode } = await import('../node.ts');
  let drain = () => {};
  const node = await startNode(config, { log, demo, onDrainWanted: () => drain() });
  drain = stopOnSignals(node, log);
  return node;
}

/** The first signal starts a drain. The second one ends the process immediately. @returns what starts a drain, too */
function stopOnSignals(node: RunningNode, log: Logger): () => void {
  const signals: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 2, SIGTERM: 15 };
  let stopping = false;
  const stop = (reason: string) => {
    if (stopping) return;
    stopping = true;
    node.stop(reason).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  for (const [signal, number] of Object.entries(signals)) {
    process.on(signal, () => {
      if (stopping) process.exit(128 + number);
      stop(signal);
    });
  }
  whenNpmEnds(() => stop('the npm process that started it has exited'));
  return () => stop('requested through the HTTP API');
}

/**
 * npm sends SIGTERM to the shell in which it runs a script. Some shells (dash) do not forward it: the shell ends, and this process would keep its ports. So
 * this process stops when its parent has exited.
 */
function whenNpmEnds(onEnded: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const timer = setInterval(() => {
    if (process.ppid === PARENT_PID) return;
    clearInterval(timer);
    onEnded();
  }, PARENT_CHECK_MS).unref();
}
