import { CLOSE_CODES, CLOSE_REASON_TEXTS, type CloseReason, reconnectAdvice } from './close-codes.ts';
import { ERROR_KINDS } from './errors.ts';
import { CLIENT_MESSAGES, ItemMeta, PresenceMember, SERVER_MESSAGES } from './messages.ts';

/** The parts of a schema that a table needs. */
interface Shape {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  /** Of a map with any names. */
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

/** The generated parts of PROTOCOL.md, by the names in their markers. */
export const REFERENCE_PARTS: Readonly<Record<string, () => string>> = {
  'client-messages': () => messageTables(CLIENT_MESSAGES),
  'server-messages': () => messageTables(SERVER_MESSAGES),
  'item-meta': () => fieldTable(ItemMeta as object as Shape),
  'presence-member': () => fieldTable(PresenceMember as object as Shape),
  'close-codes': closeCodeTable,
  'error-codes': errorCodeTable,
};

/** Returns the text with the part of that name between `<!-- name:start -->` and `<!-- name:end -->`. @throws Error if a marker is missing */
export function withProtocolReference(text: string): string {
  return Object.entries(REFERENCE_PARTS).reduce((before, [name, make]) => {
    const start = `<!-- ${name}:start -->`;
    const from = before.indexOf(start);
    const to = before.indexOf(`<!-- ${name}:end -->`);
    if (from === -1 || to < from) throw new Error(`no ${start} … <!-- ${name}:end --> in the text`);
    return `${before.slice(0, from)}${start}\n\n${make()}\n\n${before.slice(to)}`;
  }, text);
}

function messageTables(messages: Readonly<Record<string, object>>): string {
  return Object.entries(messages)
    .map(([type, schema]) => `### \`${type}\`\n\n${fieldTable(schema as Shape)}`)
    .join('\n\n');
}

function fieldTable({ properties = {}, required = [] }: Shape): string {
  const fields = Object.entries(properties).filter(([name]) => name !== 'type');
  if (fields.length === 0) return 'No fields.';
  const rows = fields.map(([name, shape]) => [`\`${name}\``, typeOf(shape), required.includes(name) ? 'yes' : '', shape.description ?? '']);
  return table(['field', 'type', 'required', 'what'], rows);
}

/** Describes the type of this shape, independent of the encoding. */
function typeOf(shape: Shape): string {
  // Those with their own section.
  if (shape.title !== undefined) return `[${shape.title}](#${shape.title.toLowerCase().replaceAll(' ', '-')})`;
  if (shape.const !== undefined) return `\`${JSON.stringify(shape.const)}\``;
  if (shape.anyOf !== undefined) return shape.anyOf.map(typeOf).join(' or ');
  switch (shape.type) {
    case 'string':
      return `text${lengthOf(shape)}`;
    case 'integer':
    case 'number':
      return `${shape.type}${rangeOf(shape)}`;
    case 'array':
      return `list of ${typeOf(shape.items ?? {})}`;
    case 'object':
      if (shape.patternProperties !== undefined) return `map of ${Object.values(shape.patternProperties).map(typeOf).join(' or ')}`;
      return `map of ${Object.entries(shape.properties ?? {})
        .map(([name, field]) => `\`${name}\` (${typeOf(field)})`)
        .join(', ')}`;
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'nil';
    default:
      return 'any';
  }
}

function lengthOf({ minLength, maxLength }: Shape): string {
  if (maxLength === undefined) return '';
  return minLength === undefined ? `, ${maxLength} characters at most` : `, ${minLength}–${maxLength} characters`;
}

function rangeOf({ minimum, exclusiveMinimum, maximum }: Shape): string {
  const from = exclusiveMinimum === undefined ? minimum : `above ${exclusiveMinimum}`;
  if (maximum === undefined) return from === undefined ? '' : `, ${from} or more`;
  const to = maximum === Number.MAX_SAFE_INTEGER ? '2^53 − 1' : maximum;
  return exclusiveMinimum === undefined ? `, ${from}–${to}` : `, ${from}, ${to} at most`;
}

function closeCodeTable(): string {
  const rows = (Object.entries(CLOSE_CODES) as [CloseReason, number][]).map(([reason, code]) => [
    String(code),
    CLOSE_REASON_TEXTS[reason],
    reconnectAdvice(code),
  ]);
  return table(['code', 'reason', 'reconnect'], rows);
}

function errorCodeTable(): string {
  const rows = Object.entries(ERROR_KINDS).map(([code, { retryable, countsTowardsClose, meaning }]) => [
    `\`${code}\``,
    retryable ? 'yes' : '',
    countsTowardsClose ? 'yes' : '',
    meaning,
  ]);
  return table(['code', 'retryable', 'counts towards 4009', 'meaning'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
