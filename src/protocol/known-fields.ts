import { CLIENT_MESSAGES, type ClientMessage, Position } from './messages.ts';

const FIELDS = new Map(Object.entries(CLIENT_MESSAGES).map(([type, { properties }]) => [type, new Set(Object.keys(properties))]));
const POSITION_FIELDS = new Set(Object.keys(Position.properties));
const NONE: ReadonlySet<string> = new Set();

/**
 * A checked message without fields that its schema does not name. A command may be kept until it is answered, and unknown fields must not be kept with it: 60
 * KB of nested empty lists are a megabyte of objects. Nearly all messages have none, and are returned as they are.
 */
export function knownFieldsOf(message: ClientMessage): ClientMessage {
  const fields = FIELDS.get(message.type) ?? NONE;
  const known: object = hasOnly(message, fields) ? message : pick(message, fields);
  const { since } = known as { readonly since?: object };
  if (since === undefined || hasOnly(since, POSITION_FIELDS)) return known as ClientMessage;
  return { ...known, since: pick(since, POSITION_FIELDS) } as ClientMessage;
}

function hasOnly(object: object, names: ReadonlySet<string>): boolean {
  for (const name of Object.keys(object)) if (!names.has(name)) return false;
  return true;
}

function pick(from: object, names: ReadonlySet<string>): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const name of names) {
    const value = (from as Record<string, unknown>)[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}
