import { Command } from 'commander';
import type { PresenceAnswer } from '../../http/api/schemas/presence.ts';
import { counted } from '../../telemetry/format.ts';
import { topicArgument } from '../options.ts';
import { note, print } from '../output.ts';
import { tableLines } from '../table.ts';
import { AdminApi } from './admin-api.ts';
import { type AdminOptions, addAdminOptions, WHERE } from './admin-options.ts';

export function presenceCommand(): Command {
  const command = new Command('presence')
    .description('show who is subscribed to a topic, on all nodes')
    .argument('<topic>', 'for example chat.lobby');
  return addAdminOptions(command)
    .action(runPresence)
    .addHelpText('after', `${WHERE}\nThe namespace needs the option presence.\n\nExamples:\n  $ stentor presence chat.lobby`);
}

async function runPresence(topicText: string, options: AdminOptions): Promise<void> {
  const topic = topicArgument(topicText);
  const api = await AdminApi.from(options, 'read');
  const answer = await api.get<PresenceAnswer>('presence', { topic });
  if (options.json) return print(JSON.stringify(answer));
  const { count, members = [], membersOmitted } = answer;
  print(counted(count, 'connection'));
  const columns = [
    { head: 'MEMBER', text: (member: (typeof members)[number]) => member.user ?? `(anonymous) ${member.connectionId ?? ''}` },
    { head: 'INFO', text: (member: (typeof members)[number]) => (member.info === undefined ? '' : JSON.stringify(member.info)) },
  ];
  if (members.length > 0) for (const line of tableLines(columns, members)) print(line);
  if (membersOmitted) note('the members are too many to be named: they are only counted');
}
