import type { RunResult } from './run-scenario.ts';

/** In every line, in this order; other figures follow by name. */
const COLUMNS = ['lost', 'duplicates', 'reordered', 'gaps', 'foreign', 'storedTwice', 'dropped', 'held', 'historyAsked'] as const;
/** Always 0 in a run that passes, so shown only where they are not. */
const SHOWN_WHEN_NOT_ZERO = [
  'wrongSnapshots',
  'acknowledgedLost',
  'wrongAcknowledgements',
  'declared',
  'sdkLost',
  'sdkDuplicates',
  'sdkReordered',
  'sdkForeign',
  'sdkDeclared',
  'calmDropped',
  'calmHeld',
  'calmHistoryAsked',
];

/** One line a scenario, the worst of its runs, as a Markdown table; then why what failed did. */
export function tableOf(runs: readonly RunResult[]): string {
  const numbers = [...new Set(runs.map(({ number }) => number))];
  const rows = numbers.map((number) => rowOf(runs.filter((run) => run.number === number)));
  const head = ['#', 'scenario', 'runs', ...COLUMNS, 'worst figures', 'size', 'verdict'];
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  const failures = runs.flatMap(({ number, failures: whys }) => whys.map((why) => `${number}: ${why}`));
  const notes = runs.flatMap(({ number, notes: texts }) => texts.map((text) => `${number}: ${text}`));
  return [
    lines.join('\n'),
    ...(notes.length > 0 ? ['Notes:', ...new Set(notes)] : []),
    ...(failures.length > 0 ? ['Failures:', ...failures] : []),
  ].join('\n');
}

/** Of each figure the greatest, which is the worst. */
export function worstOf(runs: readonly RunResult[]): Record<string, number> {
  const worst: Record<string, number> = {};
  for (const { figures } of runs) {
    for (const [name, value] of Object.entries(figures)) worst[name] = Math.max(worst[name] ?? 0, value);
  }
  return worst;
}

function rowOf(runs: readonly RunResult[]): string[] {
  const worst = worstOf(runs);
  const [first] = runs as [RunResult];
  const limits = Object.assign({}, ...runs.map((run) => run.limits)) as Record<string, number>;
  const rest = Object.entries(worst)
    .filter(([name, value]) => !(COLUMNS as readonly string[]).includes(name) && (value > 0 || !SHOWN_WHEN_NOT_ZERO.includes(name)))
    .map(([name, value]) => `${name} ${value}${limits[name] === undefined ? '' : ` (≤ ${limits[name]})`}`);
  const failed = runs.filter(({ failures }) => failures.length > 0).length;
  const { clients, ratePerSecond } = first.size;
  return [
    String(first.number),
    first.title,
    String(runs.length),
    ...COLUMNS.map((name) => String(worst[name] ?? '–')),
    rest.join(', '),
    `${clients} clients, ${ratePerSecond} msg/s on ${first.size.topics} topics`,
    failed === 0 ? 'pass' : `FAIL (${failed} of ${runs.length})`,
  ];
}
