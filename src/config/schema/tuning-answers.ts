import Type from 'typebox';
import { closed } from './closed.ts';

export const AnswersTuning = Type.Object(
  {
    historyBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 268_435_456,
      default: 4_194_304,
      description:
        'maximum bytes of publications in the answer to one `history` request of a client. An answer that reaches it has `more: true`',
    }),
    historyPageBytesMax: Type.Integer({
      minimum: 1024,
      maximum: 4_194_304,
      default: 65_536,
      description: 'bytes that are read at once for such an answer, while the client’s socket has room. At least one publication is read',
    }),
    historiesPerConnectionMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 128,
      description: 'maximum unanswered `history` requests of one connection, which are answered one after the other. More get `busy`',
    }),
    replaysPerWorkerMax: Type.Integer({
      minimum: 0,
      maximum: 100_000,
      default: 100,
      description:
        'maximum replays (`history` with `speed`) that run at the same time in one worker; each holds one page (`historyPageBytesMax`). More get `busy`. 0: clients cannot replay',
    }),
    replaysPerConnectionMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 4,
      description: 'the same for one connection',
    }),
    answerBytesPerWorkerMax: Type.Integer({
      minimum: 65_536,
      maximum: 4_294_967_296,
      default: 33_554_432,
      description:
        'maximum bytes of simultaneous answers (history, recovery) to one worker. A request reserves the maximum size of its answer, and waits until that is free',
    }),
    answerBytesPerNodeMax: Type.Integer({
      minimum: 65_536,
      maximum: 68_719_476_736,
      default: 67_108_864,
      description: 'maximum bytes of simultaneous log reads for such answers, for the whole node',
    }),
    answersWaitingMax: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 10_000,
      description: 'maximum waiting requests of a worker, and maximum waiting log reads of a node. More get `busy`',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Large answers: history and recovery.',
  },
);
