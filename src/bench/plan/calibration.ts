import type { CostConstants } from './constants.ts';
import { DEFAULT_CONSTANTS } from './default-constants.ts';
import { publicationCost } from './model.ts';

/** One window of a calibration: what a node with one worker did, and the CPU that hub and worker used, of one core. */
export interface Window {
  readonly connections: number;
  /** Publications a second, all of them to all connections of the window. */
  readonly perSecond: number;
  readonly cores: number;
  /** Writes to each connection a second, if they were counted: else one for each publication is assumed. */
  readonly writesPerSecond?: number;
}

export interface Windows {
  /** Nothing is published. */
  readonly idle: Window;
  /** One connection, few publications; and many. */
  readonly slow: Window;
  readonly fast: Window;
  /** Many connections, so few publications that each is a write of its own. */
  readonly single: Window;
  /** Many connections, so many publications that they are joined. */
  readonly joined: Window;
  /** Each connection follows some of many topics; `perSecond` is what a connection gets, `published` what all topics get. */
  readonly own?: Window & { readonly published: number };
}

/** A scheduler has other figures at other times. */
const CORES_MAX_MARGIN = 1.25;
const JOINED_SHARE_MAX = 0.9;

/**
 * Pure: the constants that explain the windows. What windows of one node do not show is that of {@link DEFAULT_CONSTANTS}.
 *
 * @throws RangeError if a window used less CPU than what it is compared with
 */
export function constantsFrom(
  windows: Windows,
  { measured, payloadBytes }: Pick<CostConstants, 'measured' | 'payloadBytes'>,
): CostConstants {
  const { idle, slow, fast, single, joined, own } = windows;
  const connectionUs = (idle.cores * 1e6) / idle.connections;
  const perPublication = ({ cores, perSecond }: Window) => (cores * 1e6) / perSecond;
  const publication = {
    slowPerSecond: slow.perSecond,
    slowUs: perPublication(slow),
    fastPerSecond: fast.perSecond,
    fastUs: perPublication(fast),
  };
  const rest = ({ cores, connections, perSecond }: Window, published = perSecond) =>
    cores * 1e6 - connections * connectionUs - published * publicationCost({ publication }, published);
  const sendUs = rest(single) / (single.connections * single.perSecond);
  const joinedWrites = joined.writesPerSecond ?? joined.perSecond;
  // Where next to nothing was joined, it is not known what that saves.
  const joinedDeliveries = joined.connections * (joined.perSecond - joinedWrites);
  const deliveryUs =
    joinedWrites > joined.perSecond * JOINED_SHARE_MAX
      ? sendUs
      : (rest(joined) - joined.connections * joinedWrites * sendUs) / joinedDeliveries;
  if (!(sendUs > 0)) throw new RangeError('the machine was too busy to measure what a write costs: try again when it is idle');
  const ownSendUs = own === undefined ? undefined : rest(own, own.published) / (own.connections * (own.writesPerSecond ?? own.perSecond));
  const { ownSendUs: _, ...notMeasured } = DEFAULT_CONSTANTS;
  return {
    ...notMeasured,
    measured,
    payloadBytes,
    connectionUs,
    publication,
    sendUs,
    ...(ownSendUs !== undefined && ownSendUs > 0 && { ownSendUs }),
    deliveryUs: Math.max(0, deliveryUs),
    workerCoresMax: CORES_MAX_MARGIN * Math.max(single.cores, joined.cores, own?.cores ?? 0),
  };
}
