import Type from 'typebox';
import { closed } from './common.ts';

export const DrainBody = Type.Object(
  {
    nodeId: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'of the node that is asked: another name is refused, so that no other node is drained by mistake',
    }),
  },
  { ...closed, title: 'Drain' },
);

export const DrainAnswer = Type.Object({ draining: Type.Literal(true) }, { title: 'Draining' });
