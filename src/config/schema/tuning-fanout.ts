import Type from 'typebox';
import { closed } from './closed.ts';

export const FanoutTuning = Type.Object(
  {
    groupConnectionsMax: Type.Integer({
      minimum: 10,
      maximum: 5000,
      default: 500,
      description:
        'connections in one group. Everything that waits for a group, of all its topics, is sent in one loop turn, with one send per socket. Larger groups cost less CPU if connections follow many topics, but make loop turns longer',
    }),
    frameBytesMax: Type.Integer({
      minimum: 1024,
      maximum: 16_383,
      default: 15_360,
      description:
        'maximum size of a frame that joins several items. uWebSockets does not batch frames of 16 KiB or more. A larger item has its own frame',
    }),
    sharedFrameBytesMax: Type.Integer({
      minimum: 0,
      maximum: 1_073_741_824,
      default: 4_194_304,
      description:
        'maximum bytes of the frames that a worker keeps for a quarter of a second, because connections that catch up at the same time need the same: what each that returns to a large document gets. 0: each gets a frame of its own',
    }),
    loopGapMinMs: Type.Number({
      minimum: 0.1,
      maximum: 1000,
      default: 5,
      description: 'lower bound of the target duration of a loop turn. After a shorter turn, more members are flushed per turn',
    }),
    loopGapMaxMs: Type.Number({
      minimum: 0.2,
      maximum: 1000,
      default: 10,
      description: 'upper bound of the target duration of a loop turn. After a longer turn, fewer members are flushed per turn',
    }),
    pacingPeriodMaxMs: Type.Number({
      minimum: 0,
      maximum: 1000,
      default: 75,
      description:
        'maximum time between two writes to a connection while publications wait to be joined. They wait only where the loop would be busy otherwise, and where each connection gets several in that time. Slower feeds are never delayed. 0: no delay',
    }),
    topicQueueMaxMs: Type.Number({
      minimum: 0,
      maximum: 60_000,
      default: 2000,
      description:
        'maximum time that publications of a topic wait in a worker when they arrive faster than members can be served, for example after NATS was away. After that they overrun the ring, and members repair the gap from the log. Other topics do not wait. Topics with less than tuning.fanout.lagThresholdBytes in their ring never wait. 0: no wait',
    }),
    topicQueueItemsMax: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 50_000,
      description:
        'maximum number of publications of all topics that wait in a worker (topicQueueMaxMs). Past it, the topic with most waiting overruns its ring',
    }),
    topicQueueBytesMax: Type.Integer({
      minimum: 1024,
      maximum: 17_179_869_184,
      default: 33_554_432,
      description:
        'maximum bytes of publications of all topics that wait in a worker (topicQueueMaxMs). Past it, the topic with most waiting overruns its ring',
    }),
    lagThresholdBytes: Type.Integer({
      minimum: 4096,
      maximum: 16_777_216,
      default: 65_536,
      description:
        'bytes waiting for one socket at which the connection becomes a slow consumer. It leaves the fast path. When the socket has drained, it is caught up by the slowConsumer policy of the namespace',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'How a worker divides its time between its connections.',
  },
);
