import { ProtocolError } from '../../../protocol/errors.ts';
import { route } from '../route.ts';
import { DrainAnswer, DrainBody } from '../schemas/drain.ts';

export const drain = route({
  method: 'POST',
  path: '/api/drain',
  operationId: 'drain',
  summary: 'Drain the node that answers, and end it',
  description:
    'As SIGTERM does: it takes no new connections, closes those it has gradually with 4200, and its process ends with exit code 0. What started it may start it again. A node that is embedded in a program cannot be drained this way.',
  scope: 'admin',
  body: DrainBody,
  answer: DrainAnswer,
  handle: ({ body }, { sources, logger }) => {
    if (body.nodeId !== sources.nodeId) throw new ProtocolError('bad_message', `nodeId: this node is ${sources.nodeId}`);
    if (sources.drain === undefined) throw new ProtocolError('unsupported', 'this node is embedded in a program, which has to stop it');
    logger.info('a drain was requested through the HTTP API');
    sources.drain();
    return { draining: true as const };
  },
});
