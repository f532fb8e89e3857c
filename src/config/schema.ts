import Type, { type Static } from 'typebox';
import { AdminSchema } from './schema/admin.ts';
import { type AuthKeySchema, AuthSchema } from './schema/auth.ts';
import { closed } from './schema/closed.ts';
import { ConnectionHooksSchema } from './schema/hooks.ts';
import { LimitsSchema } from './schema/limits.ts';
import { DEFAULT_NAMESPACES, NamespaceSchema } from './schema/namespaces.ts';
import { NatsSchema } from './schema/nats.ts';
import { ProxiesSchema } from './schema/proxies.ts';
import { TlsSchema } from './schema/tls.ts';
import { TuningSchema } from './schema/tuning.ts';

/**
 * The whole configuration, once: types, defaults, bounds and descriptions. `stentor config --reference`, REFERENCE.md,
 * the README's table, `--help` and the Helm chart's schema are all made from here. Names carry their units. `secret: true` keeps a value out of everything that is printed;
 * `filePath: true` makes a path in a config file relative to that file's folder.
 */

export const ConfigSchema = Type.Object(
  {
    host: Type.String({ default: '0.0.0.0', description: 'address to listen on for WebSocket clients' }),
    port: Type.Integer({ minimum: 0, maximum: 65_535, default: 8080, description: 'port for WebSocket clients; 0: any free one' }),
    path: Type.String({ pattern: '^/', default: '/ws', description: 'path of the WebSocket endpoint' }),
    nodeId: Type.String({
      maxLength: 64,
      pattern: '^[A-Za-z0-9_-]*$',
      default: '',
      description: 'name of this node in logs, metrics and `connected`. Empty: a random name',
    }),
    workers: Type.Integer({
      minimum: 0,
      maximum: 256,
      default: 1,
      description: 'number of worker processes, which share the port. 0: hub and worker in one process',
    }),
    allowedOrigins: Type.Array(Type.String(), {
      maxItems: 256,
      default: [],
      description:
        'values of the Origin header that are accepted, matched exactly. Empty or `*`: all. `none`: no browsers. Requests without the header do not come from a browser, and are accepted',
    }),
    production: Type.Boolean({
      default: false,
      description:
        'refuse to start without TLS (tls.certFile, or tls.terminatedUpstream), keys for tokens (auth.keys or auth.jwksUrl) and allowedOrigins, or with an admin.token of fewer than 16 characters',
    }),

    tls: TlsSchema,

    proxies: ProxiesSchema,

    admin: AdminSchema,

    nats: NatsSchema,

    auth: AuthSchema,

    heartbeat: Type.Object(
      {
        pingIntervalMs: Type.Integer({
          minimum: 100,
          maximum: 600_000,
          default: 25_000,
          description: 'time between two pings to a connection',
        }),
      },
      { ...closed, default: {}, description: 'Keeping connections open.' },
    ),

    limits: LimitsSchema,

    calls: Type.Object(
      {
        payload: Type.Union([Type.Literal('json'), Type.Literal('msgpack')], {
          default: 'json',
          description:
            'format in which services (`rpc.<method>`) and hooks are asked, also named in the Content-Type header. An answer may have another one, with its Content-Type',
        }),
      },
      { ...closed, default: {}, description: 'Calls of clients to services.' },
    ),

    hooks: ConnectionHooksSchema,

    hub: Type.Object(
      {
        drainTimeoutMs: Type.Integer({
          minimum: 0,
          maximum: 600_000,
          default: 20_000,
          description: 'maximum time of a drain. The remaining connections are then cut',
        }),
        drainConnectionsPerSecond: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 1000,
          description: 'connections closed per second and worker during a drain',
        }),
      },
      { ...closed, default: {}, description: 'Ending a node.' },
    ),

    memory: Type.Object(
      {
        maxBytes: Type.Integer({
          minimum: 65_536,
          default: 268_435_456,
          description: 'maximum bytes of history in the memory bus, for all namespaces. The oldest publications are removed first',
        }),
      },
      { ...closed, default: {}, description: 'The embedded memory bus.' },
    ),

    log: Type.Object(
      {
        level: Type.Union(
          [
            Type.Literal('trace'),
            Type.Literal('debug'),
            Type.Literal('info'),
            Type.Literal('warn'),
            Type.Literal('error'),
            Type.Literal('fatal'),
            Type.Literal('silent'),
          ],
          { default: 'info', description: 'lowest level that is logged' },
        ),
        pretty: Type.Boolean({ default: false, description: 'true: text for people. false: lines of JSON' }),
      },
      { ...closed, default: {}, description: 'Log lines.' },
    ),

    namespaces: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }), NamespaceSchema, {
      default: DEFAULT_NAMESPACES,
      description: 'options of each namespace. Setting it replaces all built-in namespaces',
    }),

    tuning: TuningSchema,
  },
  { ...closed, description: 'Listening, and the node as a whole.' },
);

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** The whole configuration, checked, with defaults; made by `loadConfig`, frozen. */
export type Config = DeepReadonly<Static<typeof ConfigSchema>>;
export type NamespaceOptions = DeepReadonly<Static<typeof NamespaceSchema>>;
export type AuthKeyOptions = DeepReadonly<Static<typeof AuthKeySchema>>;
export type SlowConsumerPolicy = NamespaceOptions['slowConsumer'];
export type PayloadKind = NamespaceOptions['payload'];
