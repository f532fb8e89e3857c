import Type from 'typebox';
import { closed } from './closed.ts';

export const ConnectionsTuning = Type.Object(
  {
    connectTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 60_000,
      default: 5000,
      description: 'maximum time until `connect`, for a connection that needs it',
    }),
    pongTimeoutMs: Type.Integer({
      minimum: 50,
      maximum: 60_000,
      default: 5000,
      description: 'maximum time until the pong. Two missed pongs in a row close the connection',
    }),
    connectsWaitingMax: Type.Integer({
      minimum: 1,
      maximum: 65_536,
      default: 4096,
      description:
        'length of the listen queue of a worker, rounded up to a multiple of 512. The kernel drops more connections, and their clients retry after 1 s, then 2 s. 512 on systems other than Linux',
    }),
    acceptsPerTurnMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 64,
      description:
        'accepted connections whose requests a worker begins to read in one loop turn. Further ones wait, counted in tuning.connections.handshakesMax: of each address (IPv6: /64) one in turn. A larger number delays publications while very many clients connect at once',
    }),
    handshakesMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 8192,
      description:
        'maximum connections of a worker that have not finished their upgrade request. At most limits.sharePercentMax of them may come from one address (IPv6: /64). At the limit the worker stops listening until some have ended, at most 12 s. Lowered at start to a quarter of what the file descriptor limit allows',
    }),
    handshakeGraceMs: Type.Integer({
      minimum: 1,
      maximum: 12_000,
      default: 1000,
      description: 'age at which a connection without a finished request may be cut, when tuning.connections.handshakesMax is reached',
    }),
    addressesMax: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 65_536,
      description:
        'maximum addresses whose connects per second a worker counts, if limits.connectsPerAddressPerSecondMax is set. The one that connected longest ago is forgotten',
    }),
    certificateCheckIntervalMs: Type.Integer({
      minimum: 100,
      maximum: 3_600_000,
      default: 10_000,
      description: 'interval at which the files of `tls` are read again, to use renewed ones',
    }),
    headerBytesMax: Type.Integer({
      minimum: 4096,
      maximum: 262_144,
      default: 24_576,
      description:
        'maximum size of the headers of one HTTP request. The default fits a token of 16 KiB, the protocol’s maximum, and 8 KiB of cookies and proxy headers. Larger ones are refused with 431. With `workers: 0`, the first node of a process decides',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Bounds and times of connections: before their first message, and while they are silent.',
  },
);
