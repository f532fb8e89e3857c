import Type, { type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { HookName, SubscribeOptions } from './types.ts';

/** Maximum characters of a hook's code and of its text; the rest is cut off. */
const CODE_MAX = 64;
const TEXT_MAX = 1024;
/** The maximum of `cacheMs` and `expiresInMs`. */
const DURATION_MAX_MS = 366 * 24 * 3_600_000;

const closed = { additionalProperties: false } as const;
const allow = Type.Literal(true);
const cacheMs = Type.Optional(Type.Number({ minimum: 0, maximum: DURATION_MAX_MS }));
const expiresInMs = Type.Optional(Type.Number({ minimum: 1000, maximum: DURATION_MAX_MS }));

const Options = Type.Object(
  {
    snapshot: Type.Optional(Type.Boolean()),
    maxRateHz: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1000 })),
    echo: Type.Optional(Type.Boolean()),
    timestamps: Type.Optional(Type.Boolean()),
    presence: Type.Optional(Type.Boolean()),
    delta: Type.Optional(Type.Boolean()),
  },
  closed,
);

// Unknown fields are invalid: a misspelt `expiresInMs` must not become a permission that never expires.
const DENIAL = Compile(
  Type.Object({ allow: Type.Literal(false), code: Type.Optional(Type.String()), message: Type.Optional(Type.String()) }, closed),
);
const ALLOWANCES: Readonly<Record<Exclude<HookName, 'disconnect'>, Checker>> = {
  connect: compiled(Type.Object({ allow, cacheMs, expiresInMs }, closed)),
  subscribe: compiled(
    Type.Object({ allow, cacheMs, options: Type.Optional(Options), expiresInMs, pattern: Type.Optional(Type.Literal(true)) }, closed),
  ),
  publish: compiled(Type.Object({ allow, cacheMs, data: Type.Optional(Type.Unknown()) }, closed)),
};

/** The result of checking an answer. */
export type CheckedAnswer =
  | {
      readonly kind: 'allowed';
      readonly cacheMs: number;
      readonly options: SubscribeOptions | undefined;
      readonly expiresInMs: number | undefined;
      readonly pattern: true | undefined;
      readonly changed: { readonly data: unknown } | undefined;
    }
  | { readonly kind: 'denied'; readonly code: string; readonly message: string }
  | { readonly kind: 'invalid'; readonly reason: string };

/** @param answer the hook's answer, not checked yet */
export function checkAnswer(hook: HookName, answer: unknown): CheckedAnswer {
  if (hook === 'disconnect')
    return { kind: 'allowed', cacheMs: 0, options: undefined, expiresInMs: undefined, pattern: undefined, changed: undefined };
  if (DENIAL.Check(answer)) {
    const { code = '', message = '' } = answer as { code?: string; message?: string };
    return {
      kind: 'denied',
      code: code === '' ? 'hook_denied' : code.slice(0, CODE_MAX),
      message: message === '' ? `the ${hook} hook denied the request` : message.slice(0, TEXT_MAX),
    };
  }
  const allowance = ALLOWANCES[hook];
  if (!allowance.check(answer)) return { kind: 'invalid', reason: `the answer is invalid for a ${hook} hook${allowance.why(answer)}` };
  const { cacheMs = 0, options, expiresInMs, pattern } = answer as Partial<Extract<CheckedAnswer, { kind: 'allowed' }>>;
  const changed = Object.hasOwn(answer as object, 'data') ? { data: (answer as { data: unknown }).data } : undefined;
  return { kind: 'allowed', cacheMs, options, expiresInMs, pattern, changed };
}

interface Checker {
  check(value: unknown): boolean;
  why(value: unknown): string;
}

function compiled(schema: TSchema): Checker {
  const validator = Compile(schema);
  return {
    check: (value) => validator.Check(value),
    why(value) {
      const [first] = validator.Errors(value);
      return first === undefined ? '' : `: ${first.instancePath === '' ? '' : `${first.instancePath} `}${first.message}`;
    },
  };
}
