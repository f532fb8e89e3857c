import type { CostConstants } from './constants.ts';
import { DEFAULT_CONSTANTS } from './default-constants.ts';
import { publicationCost } from './model.ts';

/** One window of a calibration: what a node with one worker did, and the CPU that hub and worker used, of one core. */
export interface Window {
  readonly connections: number;
  /** Publications a second, all of them to all connections of the window. */
  readonly perSecond: number;
  readonly cores: number;
  /** Writes to each connection a second. */
  readonly writesPerSecond: number;
}

export interface Windows {
  /** One connection, at four rates: next to nothing, few publications, many, and so many that the node takes several at once. */
  readonly empty: Window;
  readonly slow: Window;
  readonly fast: Window;
  readonly flood: Window;
  /** Many connections, at three rates: next to nothing; so few publications that each is a write of its own; so many that they are joined. */
  readonly idle: Window;
  readonly single: Window;
  readonly joined: Window;
  /** Each connection follows some of many topics; `perSecond` is what a connection gets, `published` what all topics get. */
  readonly own?: Window & { readonly published: number };
}

/** The windows with one big topic: {@link Windows} but `own`. */
export type BigTopicWindows = Omit<Windows, 'own'>;

/** A scheduler has other figures at other times. */
const CORES_MAX_MARGIN = 1.25;
const JOINED_SHARE_MAX = 0.9;

/**
 * Pure: the constants that explain the windows. What windows of one node do not show is that of {@link DEFAULT_CONSTANTS}.
 *
 * The CPU of a window is `nodeUs + connections × (connectionUs + writes × sendUs) + publications × publicationUs`. The windows with one connection give what a
 * publication costs with its one write; two of those with many give what a connection and a write cost; and then the rest follows.
 *
 * @throws RangeError if a window used less CPU than what it is compared with
 */
export function constantsFrom(
  windows: Windows,
  { measured, payloadBytes }: Pick<CostConstants, 'measured' | 'payloadBytes'>,
): CostConstants {
  const { empty, slow, fast, flood, idle, single, joined, own } = windows;
  const written = writtenPublication(empty, [slow, fast, flood]);
  const { connectionUs, sendUs } = connectionCosts(idle, single, written);
  if (!(sendUs > 0)) throw new RangeError('the machine was too busy to measure what a write costs: try again when it is idle');
  const nodeUs = Math.max(0, written.baseUs - connectionUs);
  const publication = written.publication.map(({ perSecond, us, writesEach }) => ({
    perSecond,
    us: Math.max(0, us - writesEach * sendUs),
  }));
  /** What the window used besides. */
  const rest = ({ cores, connections }: Window, published: number) =>
    cores * 1e6 - nodeUs - connections * connectionUs - published * publicationCost({ publication }, published);
  const joinedWrites = joined.writesPerSecond;
  // Where next to nothing was joined, it is not known what that saves.
  const joinedUs =
    joinedWrites > joined.perSecond * JOINED_SHARE_MAX
      ? sendUs
      : (rest(joined, joined.perSecond) - joined.connections * joinedWrites * sendUs) /
        (joined.connections * (joined.perSecond - joinedWrites));
  const ownSendUs = own === undefined ? undefined : rest(own, own.published) / (own.connections * own.writesPerSecond);
  const { ownSendUs: _, ...notMeasured } = DEFAULT_CONSTANTS;
  return {
    ...notMeasured,
    measured,
    payloadBytes,
    nodeUs,
    connectionUs,
    publication,
    sendUs,
    ...(ownSendUs !== undefined && ownSendUs > 0 && { ownSendUs }),
    // Joined publications may cost the node less than those to one connection, by more than what all their deliveries cost.
    deliveryUs: joinedUs > 0 ? joinedUs : DEFAULT_CONSTANTS.deliveryUs,
    workerCoresMax: CORES_MAX_MARGIN * Math.max(single.cores, joined.cores, own?.cores ?? 0),
  };
}

interface Written {
  /** A second of the node with one connection. */
  readonly baseUs: number;
  /** With the writes to the connection, of which there may be fewer than publications. */
  readonly publication: readonly { readonly perSecond: number; readonly us: number; readonly writesEach: number }[];
}

/** What a publication costs with a write to one connection, at some rates, of which the first says what the node costs without any. */
function writtenPublication(empty: Window, windows: readonly [Window, ...Window[]]): Written {
  const [slow] = windows;
  const slowUs = ((slow.cores - empty.cores) * 1e6) / (slow.perSecond - empty.perSecond);
  const baseUs = Math.max(0, empty.cores * 1e6 - empty.perSecond * slowUs);
  const publication = windows.map(({ perSecond, cores, writesPerSecond }, at) => ({
    perSecond,
    us: at === 0 ? slowUs : (cores * 1e6 - baseUs) / perSecond,
    writesEach: writesPerSecond / perSecond,
  }));
  if (!publication.every(({ us }) => us > 0))
    throw new RangeError('the machine was too busy to measure what a publication costs: try again when it is idle');
  return { baseUs, publication };
}

/** Of many connections at two rates: what does not depend on the rate is the connections' own. */
function connectionCosts(idle: Window, single: Window, written: Written): { readonly connectionUs: number; readonly sendUs: number } {
  /** Of each connection but the first, whose write is in the publication. */
  const each = ({ cores, connections, perSecond }: Window) =>
    (cores * 1e6 - written.baseUs - perSecond * publicationCost(written, perSecond)) / (connections - 1);
  const [atIdle, atSingle] = [each(idle), each(single)];
  const slope = (atSingle - atIdle) / (single.perSecond - idle.perSecond);
  const connectionUs = Math.max(0, atIdle - idle.perSecond * slope);
  return { connectionUs, sendUs: (atSingle - connectionUs) / single.perSecond };
}
