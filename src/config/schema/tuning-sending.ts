import Type from 'typebox';
import { closed } from './closed.ts';

export const SendingTuning = Type.Object(
  {
    messageBytesMax: Type.Integer({
      minimum: 1,
      maximum: 16_777_216,
      default: 65_536,
      description:
        'maximum data, in MessagePack, of what a server sends to a connection or to a namespace, or calls a client with. More gets `message_too_big`',
    }),
    requestsInFlightMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 1000,
      description: 'maximum calls of clients, and messages to a connection, that this node has not answered yet. More get `busy`',
    }),
    requestBytesInFlightMax: Type.Integer({
      minimum: 65_536,
      maximum: 68_719_476_736,
      default: 16_777_216,
      description: 'maximum bytes of their data. More get `busy`',
    }),
    callsPerConnectionMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 32,
      description: 'maximum calls that one client has not answered yet. More get `busy`',
    }),
    callConnectionsMax: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 100,
      description: 'maximum connections that one call of a user reaches',
    }),
  },
  { ...closed, default: {}, description: 'What servers send to one connection, and ask of clients.' },
);
