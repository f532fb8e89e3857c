import type { NatsCheck } from '../bus/nats/check-nats.ts';
import { formatNumber } from '../telemetry/format.ts';
import { judgeClock } from './clock.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** Older ones have known vulnerabilities. */
const RECOMMENDED = [2, 12, 6] as const;
const ROUND_TRIP_SLOW_MS = 20;

/** What is wrong with NATS for a node. Pure. */
export function judgeNats(check: NatsCheck, { manageStreams }: { readonly manageStreams: boolean }): Finding[] {
  const { servers, roundTripMs, denied, streams, clockOffsetMs } = check;
  const round = `a round trip takes ${formatNumber(roundTripMs)} ms`;
  return [
    version(check),
    roundTripMs <= ROUND_TRIP_SLOW_MS
      ? ok('nats_round_trip', round)
      : warning('nats_round_trip', round, 'Each publication takes at least this long: put nodes and NATS into the same region'),
    ...(denied.length === 0
      ? [
          ok(
            'nats_permissions',
            `${servers} permits what was tried: channels of nodes, streams, buckets. Publishing to feed.… and calls were not tried`,
          ),
        ]
      : denied.map((text) => problem('nats_permissions', text, 'Add the permission to the NATS user of the node: src/bus/README.md'))),
    ...streams.map((stream) => streamFinding(stream, manageStreams)),
    ...(clockOffsetMs === undefined ? [] : [judgeClock('nats_clock', 'NATS', clockOffsetMs)]),
  ];
}

function version({ version: text, servers }: NatsCheck): Finding {
  const found = text.split('.').map((part) => Number.parseInt(part, 10));
  const first = RECOMMENDED.findIndex((part, at) => found[at] !== part);
  const isOld = first >= 0 && (found[first] ?? 0) < (RECOMMENDED[first] as number);
  const what = `NATS ${text} at ${servers}`;
  if (!isOld) return ok('nats_version', what);
  return warning(
    'nats_version',
    what,
    `Use ${RECOMMENDED.join('.')} or newer: older ones have known vulnerabilities (CVE-2026-27889, CVE-2026-33222)`,
  );
}

function streamFinding({ namespace, problem: found }: NatsCheck['streams'][number], manageStreams: boolean): Finding {
  const check = `stream_${namespace}`;
  if (found === undefined) return ok(check, `the stream of ${namespace} is as configured`);
  if (found.code !== 'stream_missing')
    return problem(check, found.message, 'The node will not start, or cannot serve this namespace, until this is mended');
  if (manageStreams) return ok(check, `the stream of ${namespace} is missing: the node will create it (nats.manageStreams)`);
  return problem(
    check,
    `the stream of ${namespace} is missing, and nats.manageStreams is false`,
    'Run `stentor setup` as a NATS user that may create streams',
  );
}
