import Type, { type Static, type TObject, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Scope } from '../../config/admin-tokens.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { HttpCode } from '../../protocol/http-status.ts';
import { readQuery } from '../../protocol/query.ts';
import { closed } from './schemas/common.ts';
import type { ApiContext } from './sources.ts';

export type Method = 'GET' | 'POST';

/** What the OpenAPI document says of a route. */
export interface RouteDescription {
  readonly method: Method;
  readonly path: `/api/${string}`;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** What a token needs. */
  readonly scope: Scope;
  readonly query: TObject;
  /** Undefined: it takes none. */
  readonly body: TSchema | undefined;
  readonly answer: TSchema;
  /** Codes of its own; those that any route may answer with are added. */
  readonly errors: readonly HttpCode[];
}

export interface Route extends RouteDescription {
  /** Maximum bytes of a body. */
  bodyBytesMax(context: ApiContext): number;
  /** Checks, and answers with a value that matches `answer`. @throws ProtocolError */
  run(query: URLSearchParams, body: unknown, context: ApiContext): Promise<object>;
}

export type Answered<T> = T extends object ? { readonly [K in keyof T]: Answered<T[K]> } : T;

interface Definition<Q extends TObject, B extends TSchema, C extends TSchema, A extends TSchema>
  extends Omit<RouteDescription, 'query' | 'body' | 'answer' | 'errors'> {
  readonly query?: Q;
  readonly body?: B;
  /** What is checked before the handler: less than `body`, where the handler checks parts by itself. */
  readonly checkedBody?: C;
  readonly answer: A;
  readonly errors?: readonly HttpCode[];
  readonly bodyBytesMax?: (context: ApiContext) => number;
  readonly handle: (
    input: { readonly query: Static<Q>; readonly body: Static<C> },
    context: ApiContext,
  ) => Promise<Answered<Static<A>>> | Answered<Static<A>>;
}

const NO_QUERY = Type.Object({}, closed);
/** Enough for the names and ids that orders have. */
const BODY_BYTES_MAX = 4096;

/** One row of the table of routes: what it takes and answers, who may ask, and who answers. */
export function route<A extends TSchema, Q extends TObject = TObject, B extends TSchema = TSchema, C extends TSchema = B>(
  definition: Definition<Q, B, C, A>,
): Route {
  const { query = NO_QUERY, body, checkedBody = body, errors = [], handle, bodyBytesMax = () => BODY_BYTES_MAX } = definition;
  const queryCheck = Compile(query);
  const bodyCheck = checkedBody && Compile<TSchema>(checkedBody);
  return {
    ...definition,
    query,
    body,
    errors,
    bodyBytesMax,
    async run(parameters, value, context) {
      const asked = readQuery(query, parameters);
      if (!queryCheck.Check(asked)) throw misfit(queryCheck.Errors(asked), 'the query', query);
      if (bodyCheck !== undefined && !bodyCheck.Check(value)) throw misfit(bodyCheck.Errors(value), 'the body', checkedBody);
      return (await handle({ query: asked as Static<Q>, body: value as Static<C> }, context)) as object;
    },
  };
}

/** What breaks the grammar of a name has the code that a client would get. */
const CODES: Readonly<Record<string, 'bad_topic' | 'bad_key'>> = { topic: 'bad_topic', key: 'bad_key' };
const GRAMMAR: ReadonlySet<string> = new Set(['pattern', 'minLength', 'maxLength']);

/** A name in a body may be as long as the body. */
const PLACE_LENGTH_MAX = 200;

interface Misfit {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly schemaPath: string;
  readonly params?: object;
}

/** What is wrong with a value, as an error. @param where what the value is */
export function misfit(misfits: readonly Misfit[], where: string, schema?: TSchema): ProtocolError {
  // Each alternative that fails has a misfit of its own, before that of the choice.
  const [first] = misfits.filter(({ keyword, schemaPath }) => keyword !== 'required' || !schemaPath.startsWith('#/oneOf'));
  const names = first?.instancePath.split('/').slice(1) ?? [];
  const code = first !== undefined && GRAMMAR.has(first.keyword) ? CODES[names.at(-1) ?? ''] : undefined;
  const place = names.length === 0 ? where : names.join('.').slice(0, PLACE_LENGTH_MAX);
  const what = first === undefined ? 'does not match its schema' : whatIsWrong(first, misfits);
  if (first?.keyword === 'oneOf' && first.instancePath === '') return new ProtocolError('bad_message', `${where}: ${choiceOf(schema)}`);
  return new ProtocolError(code ?? 'bad_message', `${place}: ${what}`);
}

function whatIsWrong(first: Misfit, misfits: readonly Misfit[]): string {
  // TypeBox says of an unknown name that its schema is `false`.
  if (first.keyword === 'boolean') return 'unknown name';
  if (first.keyword !== 'const') return first.message;
  const values = misfits
    .filter(({ keyword, instancePath }) => keyword === 'const' && instancePath === first.instancePath)
    .map(({ params }) => (params as { readonly allowedValue: unknown }).allowedValue);
  return `expected ${values.length > 1 ? 'one of ' : ''}${values.join(', ')}`;
}

function choiceOf(schema: TSchema | undefined): string {
  const { oneOf = [] } = (schema ?? {}) as { readonly oneOf?: readonly { readonly required: readonly string[] }[] };
  const names = oneOf.flatMap(({ required }) => required);
  return `expected one of ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
