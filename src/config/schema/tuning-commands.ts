import Type from 'typebox';
import { closed } from './closed.ts';

export const CommandsTuning = Type.Object(
  {
    commandsPerMessageMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 1000,
      description: 'maximum commands in one message (an array, or `subscribeMany`)',
    }),
    answerBytesPerMessageMax: Type.Integer({
      minimum: 4096,
      maximum: 16_777_216,
      default: 131_072,
      description:
        'maximum size of one message with several answers (an array). Answers to an array of commands that are ready at the same time are collected up to this size. One that is larger than half of tuning.fanout.frameBytesMax is a message of its own',
    }),
    commandsPerSecondMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 1000,
      description:
        'commands per second from one connection that come in arrays; twice as many at once after a second without any. limits.messagesPerSecondMax counts an array as one message. More get `rate_limited`; refused commands worth two seconds close the connection with 4009',
    }),
    framesPerSecondMax: Type.Integer({
      minimum: 2,
      maximum: 10_000_000,
      default: 1000,
      description:
        'frames per second from one connection, pings and pongs included, with a burst of the same number. Raised to twice limits.messagesPerSecondMax if it is lower. More closes the connection with 4009',
    }),
    errorsPerMinuteMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 60,
      description:
        'client errors per minute before the connection is closed with 4009. Commands refused by a limit of the server do not count',
    }),
    commandsPerConnectionMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 2048,
      description: 'maximum unanswered commands of one connection, of any type. More get `busy`',
    }),
    commandBytesPerConnectionMax: Type.Integer({
      minimum: 256,
      maximum: 1_073_741_824,
      default: 1_048_576,
      description: 'maximum bytes of unanswered commands of one connection. More get `busy`',
    }),
    commandBytesInFlightMax: Type.Integer({
      minimum: 65_536,
      maximum: 68_719_476_736,
      default: 67_108_864,
      description:
        'the same for all connections of the node, unread messages included. Each worker has an equal share. More get `busy`; if more unread messages would wait, of the user or address with the most the connection with the most is closed with 4102',
    }),
    unreadBytesPerConnectionMax: Type.Integer({
      minimum: 4096,
      maximum: 1_073_741_824,
      default: 1_048_576,
      description:
        'maximum bytes of unread messages of one connection, plus 128 for each message. Messages wait while the worker is overloaded. More closes the connection with 4102',
    }),
    publishesInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      description: 'maximum client publishes that wait for the log, for the whole node. More get `busy`',
    }),
    publishesPerConnectionMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 64,
      description: 'maximum client publishes of one connection that wait for the log. More get `busy`',
    }),
    callsInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 1000,
      description: 'maximum calls that wait for their result, for the whole node. More get `busy`',
    }),
    callsPerConnectionMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 32,
      description: 'maximum calls of one connection that wait for their result. More get `busy`',
    }),
    callTimeoutMaxMs: Type.Integer({
      minimum: 1,
      maximum: 60_000,
      default: 60_000,
      description: 'maximum time for a call. A larger `timeoutMs` is lowered to this',
    }),
    callAnswerBytesMax: Type.Integer({
      minimum: 1,
      maximum: 67_108_864,
      default: 262_144,
      description:
        'maximum size of the result of a call; limits.sendBufferLimitBytes limits it too. A larger result is dropped, and the call fails with `answer_too_large`',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Bounds of what clients send, and of what waits for an answer.',
  },
);
