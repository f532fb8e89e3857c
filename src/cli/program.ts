import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { disconnectCommand, revokeCommand, unsubscribeCommand } from './admin/end.ts';
import { healthCommand } from './admin/health.ts';
import { historyCommand } from './admin/history.ts';
import { nodesCommand } from './admin/nodes.ts';
import { presenceCommand } from './admin/presence.ts';
import { callCommand, sendCommand } from './admin/send.ts';
import { topCommand } from './admin/top.ts';
import { topicsCommand } from './admin/topics.ts';
import { connectionsCommand, usersCommand } from './admin/users.ts';
import { benchCommand } from './bench.ts';
import { completionCommand } from './completion.ts';
import { configCommand } from './config.ts';
import { doctorCommand } from './doctor.ts';
import { usageText } from './errors.ts';
import { keyCommand } from './key.ts';
import { planCommand } from './plan.ts';
import { publishCommand } from './publish.ts';
import { replayCommand } from './replay.ts';
import { serveCommand } from './serve.ts';
import { setupCommand } from './setup.ts';
import { subscribeCommand } from './subscribe.ts';
import { tokenCommand } from './token.ts';

/** The command line. It throws its errors: CommanderError if Commander has printed it already, others for the caller to print. */
export function createProgram(): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  const program: Command = new Command('stentor')
    .description('Broadcasts live feeds from NATS to very many WebSocket clients, encoded once.')
    .version(version)
    .addCommand(serveCommand())
    .addCommand(publishCommand())
    .addCommand(sendCommand())
    .addCommand(callCommand())
    .addCommand(subscribeCommand())
    .addCommand(tokenCommand())
    .addCommand(replayCommand())
    .addCommand(topCommand())
    .addCommand(nodesCommand())
    .addCommand(topicsCommand())
    .addCommand(historyCommand())
    .addCommand(presenceCommand())
    .addCommand(usersCommand())
    .addCommand(connectionsCommand())
    .addCommand(disconnectCommand())
    .addCommand(unsubscribeCommand())
    .addCommand(revokeCommand())
    .addCommand(doctorCommand())
    .addCommand(benchCommand())
    .addCommand(planCommand())
    .addCommand(keyCommand())
    .addCommand(setupCommand())
    .addCommand(configCommand())
    .addCommand(healthCommand())
    .addCommand(completionCommand(() => program))
    .addHelpText(
      'after',
      `
Start here:
  $ stentor serve --demo                     a node with demo feeds and a demo page; needs nothing else
  $ stentor subscribe scores.demo            print one of the demo feeds
  $ stentor config --reference               the settings

Exit codes: 0 success, 1 failure, 2 wrong usage or invalid configuration.`,
    );
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ outputError: (text, write) => write(usageText(text)) });
  }
  return program;
}
