import Type from 'typebox';
import { closed } from './closed.ts';

const AdminTokenSchema = Type.Object(
  {
    token: Type.Optional(Type.String({ minLength: 16, description: 'the token, at least 16 characters', secret: true })),
    tokenFile: Type.Optional(
      Type.String({ description: 'path of a file with the token. It is read again within a second after it has changed', filePath: true }),
    ),
    scopes: Type.Array(Type.Union([Type.Literal('publish'), Type.Literal('read'), Type.Literal('admin')]), {
      minItems: 1,
      maxItems: 3,
      description: 'what it permits',
    }),
  },
  closed,
);

/** The admin listener, and who may use it. */
export const AdminSchema = Type.Object(
  {
    host: Type.String({
      default: '127.0.0.1',
      description: 'address to listen on for health checks, metrics, the HTTP API and the operator’s page',
    }),
    port: Type.Integer({ minimum: 0, maximum: 65_535, default: 9090, description: 'port for the same; 0: any free one' }),
    tls: Type.Boolean({
      default: false,
      description: 'serve the admin port over HTTPS, with the certificate of tls.certFile',
    }),
    token: Type.String({
      default: '',
      description:
        'bearer token for everything on the admin port: short for an entry of admin.tokens with all scopes. One of both is required if admin.host is not loopback; this then has at least 16 characters',
      secret: true,
    }),
    tokens: Type.Array(AdminTokenSchema, {
      maxItems: 32,
      default: [],
      description:
        'bearer tokens, all valid at the same time, for several programs or to replace a token without an interruption. Each has `token` or `tokenFile`, and `scopes`: `publish`; `read`, also for /metrics; `admin` to end connections and to see the config',
    }),
  },
  { ...closed, default: {}, description: 'Health checks, metrics, the HTTP API and the operator’s page.' },
);
