import { redactConfig } from '../../../config/redact.ts';
import { route } from '../route.ts';
import { ConfigAnswer } from '../schemas/config.ts';

export const config = route({
  method: 'GET',
  path: '/api/config',
  operationId: 'config',
  summary: 'The settings of this node, without its secrets',
  scope: 'admin',
  answer: ConfigAnswer,
  handle: (_, { sources }) => redactConfig(sources.config) as Record<string, unknown>,
});
