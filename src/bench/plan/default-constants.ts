import type { CostConstants } from './constants.ts';

/**
 * From our own measurements, in loadtest/MEASURED.md, src/OPERATING.md and src/SCALING.md: `one-a-second` (nodeUs, publication at 1 a second), `steady-20` (sendUs), `plan-check` (ownSendUs and the publication at
 * 4,000 a second, on a busy machine), `steady-1000` with `--count-sends` (deliveryUs), `hub-intake` (followedUs), `idle-memory` and `watchlist-sparse` (bytes), `twelve-nodes` (natsMessageUs), `wide-namespace`
 * (natsPublicationUs: 15 at 20,000 a second with what it sends; 125 at 110 a second in `twelve-nodes`, which is next to nothing). Estimated, not measured: connectionUs, the publication at 400 a second.
 */
export const DEFAULT_CONSTANTS: CostConstants = {
  version: 1,
  measured: '2 shared virtual cores (AMD EPYC, Node 20.20), some of it estimated: calibrate on your own machine',
  payloadBytes: 100,
  nodeUs: 2650,
  connectionUs: 1,
  publication: [
    { perSecond: 1, us: 780 },
    { perSecond: 400, us: 120 },
    { perSecond: 4000, us: 32 },
  ],
  followedUs: 5.3,
  sendUs: 10,
  ownSendUs: 8,
  deliveryUs: 0.12,
  natsPublicationUs: 20,
  natsMessageUs: 2.4,
  workerCoresMax: 0.7,
  // User space and kernel.
  connectionBytes: 6144,
  subscriptionBytes: 600,
  nodeBytes: 83_886_080,
};
