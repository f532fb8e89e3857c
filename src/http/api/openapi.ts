import type { TSchema } from 'typebox';
import { type HttpCode, statusOf } from '../../protocol/http-status.ts';
import { meaningOf } from './errors.ts';
import type { RouteDescription } from './route.ts';
import { Refusal } from './schemas/refusal.ts';

/** Rises with the API, not with the server. */
const API_VERSION = '1.0.0';

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: 'The request is malformed, or breaks a rule',
  401: 'No valid token',
  403: 'Not permitted',
  404: 'Not there, or not offered',
  408: 'No answer in time',
  413: 'Too large',
  500: 'Unexpected error',
  503: 'Not now: try again later',
  504: 'The outcome is unknown',
};

type Json = Readonly<Record<string, unknown>>;

/** The document as it is kept in the repository, and served. */
export function openapiText(routes: readonly RouteDescription[]): string {
  return `${JSON.stringify(openapiOf(routes), undefined, 2)}\n`;
}

/** The OpenAPI 3.1 document of these routes. */
export function openapiOf(routes: readonly RouteDescription[]): Json {
  const components = new Map<string, unknown>();
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route, components) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Stentor HTTP API',
      version: API_VERSION,
      description: 'Publishing, and operating a node. It is served on the admin port.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://localhost:9090' }],
    paths,
    components: {
      schemas: Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            '`admin.token`, or one of `admin.tokens`. Without any in the config, only what needs `read` is permitted, to everybody on the machine.',
        },
      },
    },
  };
}

function operationOf(route: RouteDescription, components: Map<string, unknown>): Json {
  const { operationId, summary, description, scope, query, body, answer } = route;
  const required = new Set<string>(query.required ?? []);
  const parameters = Object.entries(query.properties).map(
    ([name, { description: what, ...schema }]: [string, { description?: string }]) => ({
      name,
      in: 'query',
      required: required.has(name),
      ...(what !== undefined && { description: what }),
      schema: referenced(schema, components),
    }),
  );
  return {
    operationId,
    summary,
    description: `${description === undefined ? '' : `${description} `}Scope: \`${scope}\`.`,
    security: [{ bearer: [scope] }],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: { required: true, content: jsonOf(body, components) } }),
    responses: {
      200: { description: 'Done', content: jsonOf(answer, components) },
      ...refusalsOf(codesOf(route), components),
    },
  };
}

/** Every code that a route may answer with. */
export function codesOf({ errors, scope, query, body }: RouteDescription): HttpCode[] {
  const codes = new Set<HttpCode>(errors);
  if (Object.keys(query.properties).length > 0 || body !== undefined) codes.add('bad_message');
  if (body !== undefined) for (const code of ['message_too_big', 'timeout'] as const) codes.add(code);
  if (scope !== 'read') codes.add('unsupported');
  for (const code of ['unauthorized', 'forbidden', 'busy', 'internal'] as const) codes.add(code);
  return [...codes];
}

function refusalsOf(codes: readonly HttpCode[], components: Map<string, unknown>): Json {
  const statuses = [...new Set(codes.map(statusOf))].sort((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => {
      const all = codes.filter((code) => statusOf(code) === status);
      const list = all.map((code) => `- \`${code}\`: ${meaningOf(code)}`).join('\n');
      return [status, { description: `${STATUS_TEXTS[status]}:\n\n${list}`, content: refusalOf(all, components) }];
    }),
  );
}

/** A refusal with one of these codes. */
function refusalOf(codes: readonly HttpCode[], components: Map<string, unknown>): Json {
  const reference = referenced(Refusal, components);
  const narrowed = { properties: { error: { properties: { code: { enum: codes } } } } };
  return { 'application/json': { schema: { allOf: [reference, narrowed] } } };
}

function jsonOf(schema: TSchema, components: Map<string, unknown>): Json {
  return { 'application/json': { schema: referenced(schema, components) } };
}

/** The schema with every part that has a title replaced by a reference to a component. */
function referenced(schema: unknown, components: Map<string, unknown>): unknown {
  if (Array.isArray(schema)) return schema.map((part) => referenced(part, components));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { title, ...rest } = schema as { readonly title?: unknown };
  const parts = Object.fromEntries(Object.entries(rest).map(([name, part]) => [name, referenced(part, components)]));
  if (typeof title !== 'string') return parts;
  components.set(title, parts);
  return { $ref: `#/components/schemas/${title}` };
}
