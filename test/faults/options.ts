import { parseArgs } from 'node:util';

export interface Options {
  /** Empty: all. */
  readonly numbers: readonly number[];
  readonly repeats: number;
  readonly clients: number | undefined;
  readonly ratePerSecond: number | undefined;
  readonly topics: number | undefined;
  readonly checks: number | undefined;
  readonly books: string | undefined;
  /** Of a soak. */
  readonly minutes: number | undefined;
  readonly quick: boolean;
  readonly verbose: boolean;
  /** Wait so long at most, before each run, for other programs to leave the machine alone. */
  readonly quietWaitMinutes: number;
  /** Where to write the runs for the process that started this one, which prints them. */
  readonly child: string | undefined;
}

export const HELP = `npm run faults                    every scenario, once
npm run faults -- 3               one of them; several: -- 1 2 13
npm run faults -- --repeats 5     each so often; the table has the worst
SEED=n npm run faults -- 3        with the random choices of the run that printed this seed
  --clients n --rate n --topics n   another size than the scenario's own; the table says so
  --checks n --books file           28: how often books are checked at least, and recorded books instead of made-up ones (one change a line)
  --minutes n                       how long the soak (19) takes, instead of 10
  --wait-for-quiet n                before each run, wait up to n minutes until little else runs on the machine
  --quick                           the sizes that npm test uses
  --verbose                         what happens while it runs`;

/** @throws TypeError for what is no option */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      repeats: { type: 'string' },
      clients: { type: 'string' },
      rate: { type: 'string' },
      topics: { type: 'string' },
      checks: { type: 'string' },
      books: { type: 'string' },
      minutes: { type: 'string' },
      quick: { type: 'boolean' },
      'wait-for-quiet': { type: 'string' },
      verbose: { type: 'boolean' },
      child: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return undefined;
  return {
    numbers: positionals.map((text) => count(text) ?? 0),
    repeats: count(values.repeats) ?? 1,
    clients: count(values.clients),
    ratePerSecond: count(values.rate),
    topics: count(values.topics),
    checks: count(values.checks),
    books: values.books,
    minutes: count(values.minutes),
    quick: values.quick ?? false,
    verbose: values.verbose ?? false,
    quietWaitMinutes: count(values['wait-for-quiet']) ?? 0,
    child: values.child,
  };
}

function count(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new TypeError(`${text}: a whole number from 1 up was expected`);
  return value;
}
