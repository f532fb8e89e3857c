import { Command, InvalidArgumentError } from 'commander';
import { PAYLOAD_BYTES_MIN } from '../src/bench/stamp.ts';
import { SCENARIOS, scenarioNamed } from './scenarios/registry.ts';
import type { Overrides, Scenario } from './scenarios/scenario.ts';
import { SERVERS, serverNamed } from './servers/registry.ts';
import type { ServerUnderTest } from './servers/server.ts';

export interface BenchOptions {
  readonly scenarios: readonly Scenario[];
  /** Empty: each scenario's own. */
  readonly servers: readonly ServerUnderTest[];
  readonly pairs: number;
  readonly out: string;
  /** Where bare uWS had no time left, the pairs are repeated at a lower rate. */
  readonly repeatBusy: boolean;
  readonly overrides: Overrides;
}

interface Flags {
  scenario: string;
  servers?: string;
  pairs?: number;
  seconds?: number;
  members?: number;
  rate?: number;
  payload?: number;
  workers?: number;
  itemsPerSend?: number;
  countSends: boolean;
  quick: boolean;
  repeatBusy: boolean;
  out: string;
}

/** Below this a median says little; performance.md asks for so many. */
const PAIRS_DEFAULT = 5;

/** @param argv without the interpreter and the script */
export function parseOptions(argv: readonly string[], out: string): BenchOptions {
  const flags = command(out).parse(argv, { from: 'user' }).opts<Flags>();
  const { countSends, quick } = flags;
  return {
    scenarios: flags.scenario === 'all' ? SCENARIOS : names(flags.scenario).map(scenarioNamed),
    servers: flags.servers === undefined ? [] : names(flags.servers).map(serverNamed),
    pairs: flags.pairs ?? (quick ? 1 : PAIRS_DEFAULT),
    out: flags.out,
    repeatBusy: flags.repeatBusy,
    overrides: {
      countSends,
      quick,
      ...(flags.seconds === undefined ? {} : { seconds: flags.seconds }),
      ...(flags.members === undefined ? {} : { members: flags.members }),
      ...(flags.rate === undefined ? {} : { rate: flags.rate }),
      ...(flags.payload === undefined ? {} : { payloadBytes: flags.payload }),
      ...(flags.workers === undefined ? {} : { workers: flags.workers }),
      ...(flags.itemsPerSend === undefined ? {} : { itemsPerSend: flags.itemsPerSend }),
    },
  };
}

function command(out: string): Command {
  return new Command('bench')
    .description('Measures Stentor beside other servers, in interleaved pairs. Results: JSON and one HTML page.')
    .option('-s, --scenario <names>', 'comma-separated, or "all"', 'steady-20,steady-1000')
    .option('--servers <names>', "comma-separated; default: the scenario's own")
    .option('-p, --pairs <n>', `rounds in which each server runs once (default: ${PAIRS_DEFAULT})`, integer(1))
    .option('--seconds <n>', 'length of the measured window', positive)
    .option('--members <n>', 'members of the topic', integer(1))
    .option('--rate <n>', 'publications a second on the topic', positive)
    .option('--payload <bytes>', 'bytes of a publication (default: 100)', integer(PAYLOAD_BYTES_MIN))
    .option('--workers <n>', 'workers of a Stentor node (default: 1)', integer(0))
    .option(
      '--items-per-send <n>',
      'publications that the floor joins in one send (default: 1; in floor-20 and floor-1000 as many as Stentor)',
      atLeastOne,
    )
    .option('--count-sends', 'count the system calls that send, by perf or strace', false)
    .option('--repeat-busy', 'repeat pairs in which bare uWS used more than 60% of a core at a lower rate, until it does not', false)
    .option('--quick', 'small and short, one pair: does everything run? Not for quoting', false)
    .option('--out <folder>', 'where the results go', out)
    .addHelpText('after', `\nScenarios:\n${list(SCENARIOS)}\n\nServers:\n${list(SERVERS)}`);
}

function list(things: readonly { name: string; title: string }[]): string {
  return things.map(({ name, title }) => `  ${name.padEnd(24)}${title}`).join('\n');
}

function names(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0');
  return value;
}

function atLeastOne(text: string): number {
  const value = Number(text);
  if (!(value >= 1)) throw new InvalidArgumentError('a number, 1 at least');
  return value;
}

function integer(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < minimum) throw new InvalidArgumentError(`a whole number, ${minimum} at least`);
    return value;
  };
}
