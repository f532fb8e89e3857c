import { BenchClients } from './clients.ts';
import type { FromClients, ToClients } from './messages.ts';

/** A process of clients. It ends with the process that started it. */
let clients: BenchClients | undefined;
let cpuAtStart = process.cpuUsage();

const send = (message: FromClients) => void process.send?.(message);

process.on('message', (message: ToClients) => {
  if (message.kind === 'tally') {
    const { user, system } = process.cpuUsage(cpuAtStart);
    const tally = clients?.tally(message.sent);
    if (tally !== undefined) send({ kind: 'tallied', tally, cpuMs: (user + system) / 1000 });
    return;
  }
  clients = new BenchClients(message.settings);
  void clients.open().then((report) => {
    cpuAtStart = process.cpuUsage();
    send({ kind: 'opened', ...report });
  });
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches all processes of a terminal; the one that started this one decides.
process.on('SIGINT', () => undefined);
