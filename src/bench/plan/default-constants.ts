import type { CostConstants } from './constants.ts';

/**
 * From our own measurements, in loadtest/MEASURED.md, src/OPERATING.md and src/SCALING.md: `one-a-second` (nodeUs, slowUs), `steady-20` (sendUs), `watchlist-5` (ownSendUs),
 * `steady-1000` with `--count-sends` (deliveryUs), `hub-intake` (followedUs), `idle-memory` and `watchlist-sparse` (bytes). `twelve-nodes` (natsMessageUs), `wide-namespace` (natsPublicationUs: 15 at
 * 20,000 a second with what it sends; 125 at 110 a second in `twelve-nodes`, which is next to nothing). Estimated, not measured: connectionUs, fastUs.
 */
export const DEFAULT_CONSTANTS: CostConstants = {
  version: 1,
  measured: '2 shared virtual cores (AMD EPYC, Node 20.20), some of it estimated: calibrate on your own machine',
  payloadBytes: 100,
  nodeUs: 2650,
  connectionUs: 1,
  publication: { slowPerSecond: 1, slowUs: 780, fastPerSecond: 400, fastUs: 120 },
  followedUs: 5.3,
  sendUs: 10,
  ownSendUs: 14,
  deliveryUs: 0.12,
  natsPublicationUs: 20,
  natsMessageUs: 2.4,
  workerCoresMax: 0.7,
  // User space and kernel.
  connectionBytes: 6144,
  subscriptionBytes: 600,
  nodeBytes: 83_886_080,
};
