import type { Route } from './route.ts';
import { disconnect, revoke, unsubscribe } from './routes/ending.ts';
import { node, nodes } from './routes/nodes.ts';
import { publish } from './routes/publish.ts';
import { topics } from './routes/topics.ts';

/** Every route of the HTTP API. Routing, checks and the OpenAPI document come from here. */
export const ROUTES: readonly Route[] = [publish, topics, disconnect, unsubscribe, revoke, node, nodes];
