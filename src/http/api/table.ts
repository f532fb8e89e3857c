import type { Route } from './route.ts';
import { config } from './routes/config.ts';
import { drain } from './routes/drain.ts';
import { disconnect, revoke, unsubscribe } from './routes/ending.ts';
import { history } from './routes/history.ts';
import { node, nodes } from './routes/nodes.ts';
import { presence } from './routes/presence.ts';
import { publish, publishMany } from './routes/publish.ts';
import { call, send } from './routes/sending.ts';
import { series } from './routes/series.ts';
import { topics } from './routes/topics.ts';
import { connections, users } from './routes/users.ts';

/** Every route of the HTTP API. Routing, checks and the OpenAPI document come from here. */
export const ROUTES: readonly Route[] = [
  publish,
  publishMany,
  send,
  call,
  history,
  topics,
  presence,
  users,
  connections,
  disconnect,
  unsubscribe,
  revoke,
  series,
  drain,
  node,
  nodes,
  config,
];
