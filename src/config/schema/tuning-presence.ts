import Type from 'typebox';
import { closed } from './closed.ts';

export const PresenceTuning = Type.Object(
  {
    graceMs: Type.Integer({
      minimum: 0,
      maximum: 60_000,
      default: 3000,
      description: 'time in which a client that was cut off may come back, on any node, without leaving and joining',
    }),
    membersBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 68_719_476_736,
      default: 134_217_728,
      description:
        'maximum bytes of the names and infos of members that the hub keeps, of all nodes. Topics whose members do not fit are only counted',
    }),
    topicsMax: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 200_000,
      description:
        'maximum topics of the other nodes whose presence the hub keeps. Subscribers of more on other nodes are not counted here',
    }),
  },
  { ...closed, default: {}, description: 'What the hub keeps of who is subscribed, where a namespace has presence.' },
);
