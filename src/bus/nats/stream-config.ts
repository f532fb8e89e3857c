import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import { streamNameOf, streamSubjectsOf } from '../subjects.ts';

const DEDUPE_WINDOW_MS = 120_000;

/** JetStream permits no deduplication window longer than the maximum age. */
export function dedupeWindowMsOf({ history }: NamespaceOptions): number {
  return Math.min(DEDUPE_WINDOW_MS, history.maxAgeMs);
}

/** The required configuration of a durable namespace's stream: every field that the log's guarantees need. */
export function streamConfigOf(namespace: string, options: NamespaceOptions, nats: Config['nats']) {
  const { history } = options;
  return {
    name: streamNameOf(namespace),
    subjects: streamSubjectsOf(namespace, options),
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    // Oldest first: while an anchor is still there, nothing after it is missing.
    discard: DiscardPolicy.Old,
    max_msgs: -1,
    max_msgs_per_subject: history.maxCount,
    max_age: nanos(history.maxAgeMs),
    max_bytes: history.maxBytes,
    max_msg_size: -1,
    duplicate_window: nanos(dedupeWindowMsOf(options)),
    deny_delete: true,
    deny_purge: true,
    // A roll-up is a purge that a producer could trigger with a header.
    allow_rollup_hdrs: false,
    // A message with its own TTL could be removed before an older one.
    allow_msg_ttl: false,
    allow_direct: true,
    no_ack: false,
    sealed: false,
    num_replicas: nats.streamReplicas,
  } satisfies Partial<StreamConfig>;
}

export interface StreamDifference {
  readonly field: string;
  readonly found: string;
  readonly expected: string;
}

/** The first field in which an existing stream differs. Fields that a server leaves out have their zero value. */
export function differenceOf(
  found: Partial<StreamConfig>,
  expected: Partial<ReturnType<typeof streamConfigOf>>,
): StreamDifference | undefined {
  for (const [field, value] of Object.entries(expected)) {
    const other = found[field as keyof StreamConfig] ?? zeroOf(value);
    if (textOf(other) !== textOf(value)) return { field, found: textOf(other), expected: textOf(value) };
  }
  return undefined;
}

function zeroOf(value: unknown): unknown {
  if (typeof value === 'boolean') return false;
  return typeof value === 'number' ? 0 : '';
}

/** Lists are compared as sets, because a server need not keep their order. */
function textOf(value: unknown): string {
  return Array.isArray(value) ? [...value].sort().join(', ') : String(value);
}
