import Type from 'typebox';
import { closed } from './closed.ts';

const SUBJECT = '^(nats:.+)?$';

const timeoutMs = Type.Integer({
  minimum: 1,
  maximum: 60_000,
  default: 2000,
  description: 'time-out of a hook. A hook that has not answered by then has failed',
});

const whenFailed = (what: string) =>
  Type.Union([Type.Literal('deny'), Type.Literal('allow')], {
    default: 'deny',
    description: `what happens when the ${what} hook fails: it does not answer in time, it is not running, or its answer is invalid. \`deny\`: the client gets \`hook_failed\`. \`allow\` is dangerous: an attacker who can make the hook fail gets everything that the token permits`,
  });

/** Of one namespace. */
export const NamespaceHooksSchema = Type.Object(
  {
    subscribe: Type.String({
      pattern: SUBJECT,
      default: '',
      description:
        'NATS subject that is asked before a client may subscribe, read the history or see the presence, as in `nats:auth.subscribe`. Only with NATS. Empty: no such hook',
    }),
    publish: Type.String({
      pattern: SUBJECT,
      default: '',
      description: 'NATS subject that is asked before a client’s publish is stored, as in `nats:auth.publish`. Empty: no such hook',
    }),
    module: Type.String({
      default: '',
      filePath: true,
      description:
        'JavaScript file that exports `subscribe` or `publish`, or both. Each worker loads it, and asks it before the NATS subjects',
    }),
    timeoutMs,
    hookFailed: Type.Object({ subscribe: whenFailed('subscribe'), publish: whenFailed('publish') }, { ...closed, default: {} }),
  },
  { ...closed, default: {} },
);

/** Of connections, which belong to no namespace. */
export const ConnectionHooksSchema = Type.Object(
  {
    connect: Type.String({
      pattern: SUBJECT,
      default: '',
      description:
        'NATS subject that is asked before a connection is accepted, with a token or without, as in `nats:auth.connect`. Only with NATS. Empty: no such hook',
    }),
    disconnect: Type.String({
      pattern: SUBJECT,
      default: '',
      description: 'NATS subject that is told at most once that an accepted connection has ended. Empty: no such hook',
    }),
    module: Type.String({
      default: '',
      filePath: true,
      description:
        'JavaScript file that exports `connect` or `disconnect`, or both. Each worker loads it, and asks it before the NATS subjects',
    }),
    timeoutMs,
    hookFailed: Type.Object({ connect: whenFailed('connect') }, { ...closed, default: {} }),
  },
  {
    ...closed,
    default: {},
    description: 'Hooks of connections. Those of topics are in `namespaces.<name>.hooks`.',
  },
);
