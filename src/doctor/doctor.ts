import { checkNats } from '../bus/nats/check-nats.ts';
import type { Config } from '../config/schema.ts';
import { type Finding, ok, problem } from './finding.ts';
import { judgeMachine } from './machine.ts';
import { readMachine } from './machine-facts.ts';
import { judgeNats } from './nats.ts';

/** Checks this machine, and NATS, for a node with this config. It changes nothing. Never rejects because of what it finds. */
export async function examine(config: Config): Promise<Finding[]> {
  return [...judgeMachine(await readMachine(), config), ...(await examineNats(config))];
}

async function examineNats(config: Config): Promise<Finding[]> {
  if (config.nats.url === '') return [ok('nats', 'nats.url is empty: the embedded memory bus is used, by one node only')];
  try {
    return judgeNats(await checkNats(config), config.nats);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (code === undefined) throw error;
    return [problem('nats', `${code}: ${message}`, 'The node will not start: check nats.url, the login, and that JetStream is on')];
  }
}
