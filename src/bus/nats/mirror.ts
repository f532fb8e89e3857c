import type { StreamInfo } from '@nats-io/jetstream';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import { BusError } from '../bus-error.ts';
import { differenceOf, type StreamDifference, streamConfigOf } from './stream-config.ts';

/** Fields that a mirror must share with its origin: everything that the log's guarantees need, except its source. */
const SAME_FIELDS = [
  'retention',
  'discard',
  'max_msgs',
  'max_msgs_per_subject',
  'max_age',
  'max_bytes',
  'max_msg_size',
  'deny_delete',
  'deny_purge',
  'allow_rollup_hdrs',
  'allow_msg_ttl',
  'sealed',
] as const;

export interface MirrorQuestion {
  readonly namespace: string;
  readonly options: NamespaceOptions;
  readonly nats: Config['nats'];
  readonly mirror: StreamInfo;
  readonly origin: StreamInfo;
  /** When the current epoch of the log began, milliseconds since 1970. */
  readonly lifeBegunAtMs: number;
}

/**
 * Whether the mirror may be followed in place of its origin. A mirror keeps the sequence numbers and times of its origin, so offsets are the same. But it also
 * keeps what the origin loses when its store is restored from a copy, and appends what follows: two histories in one. So it must be younger than the log's
 * current epoch, and not ahead of its origin.
 *
 * @throws BusError `stream_mismatch`, `mirror_too_old`, `bus_unreachable` (while it is ahead)
 */
export function assertMirror({ namespace, options, nats, mirror, origin, lifeBegunAtMs }: MirrorQuestion): void {
  const { name } = mirror.config;
  const difference = mirrorDifferenceOf(mirror, origin.config.name, streamConfigOf(namespace, options, nats));
  if (difference !== undefined) {
    const { field, found, expected } = difference;
    throw new BusError(
      'stream_mismatch',
      `stream ${name}, which mirrors namespace ${namespace}: ${field} is ${found}, expected ${expected}`,
    );
  }
  if (Date.parse(mirror.created) < lifeBegunAtMs) {
    throw new BusError(
      'mirror_too_old',
      `stream ${name} was created at ${mirror.created}, before the current epoch of the log of ${namespace} began (${new Date(lifeBegunAtMs).toISOString()}): it may contain what the log has lost; delete it and create it again`,
    );
  }
  if (mirror.state.last_seq > origin.state.last_seq) {
    throw new BusError('bus_unreachable', `stream ${name} is ahead of ${origin.config.name}, which it mirrors`);
  }
}

function mirrorDifferenceOf(
  { config }: StreamInfo,
  originName: string,
  expected: ReturnType<typeof streamConfigOf>,
): StreamDifference | undefined {
  const source = config.mirror;
  if (source?.name !== originName) return { field: 'mirror', found: source?.name ?? 'none', expected: originName };
  const { filter_subject = '', subject_transforms = [], opt_start_seq = 0, opt_start_time = '' } = source;
  if (filter_subject !== '' || subject_transforms.length > 0 || opt_start_seq > 0 || opt_start_time !== '') {
    return { field: 'mirror', found: 'a part of the stream', expected: 'all of it' };
  }
  const wanted = Object.fromEntries(SAME_FIELDS.map((field) => [field, expected[field]]));
  return differenceOf(config, wanted as Partial<typeof expected>);
}
