import { CLIENT_MESSAGES, type ClientMessage, Position } from './messages.ts';

const FIELDS = new Map(Object.entries(CLIENT_MESSAGES).map(([type, { properties }]) => [type, Object.keys(properties)]));
const POSITION_FIELDS = Object.keys(Position.properties);

/**
 * A checked message without fields that its schema does not name. A command may be kept until it is answered, and unknown fields must not be kept with it: 60
 * KB of nested empty lists are a megabyte of objects.
 */
export function knownFieldsOf(message: ClientMessage): ClientMessage {
  const known = pick(message, FIELDS.get(message.type) ?? []);
  if ('since' in known) known.since = pick(known.since as object, POSITION_FIELDS);
  return known as unknown as ClientMessage;
}

function pick(from: object, names: readonly string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const name of names) {
    const value = (from as Record<string, unknown>)[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}
