import type { Static } from 'typebox';
import type { CLIENT_MESSAGES } from './client-messages.ts';
import type { SERVER_MESSAGES } from './server-messages.ts';

/**
 * Every message of the wire protocol, once. The types, the runtime checks and the tables of PROTOCOL.md all come from here.
 * Unknown fields are ignored, so `additionalProperties` stays open.
 */
export { CLIENT_MESSAGES } from './client-messages.ts';
export { Item, ItemMeta, Position, PresenceMember, Stale, StaleReason } from './fields.ts';
export { SERVER_MESSAGES } from './server-messages.ts';

type ClientMessages = { [K in keyof typeof CLIENT_MESSAGES]: Static<(typeof CLIENT_MESSAGES)[K]> };
type ServerMessages = { [K in keyof typeof SERVER_MESSAGES]: Static<(typeof SERVER_MESSAGES)[K]> };
export type ClientMessageType = keyof ClientMessages;
export type ServerMessageType = keyof ServerMessages;
export type ClientMessage<K extends ClientMessageType = ClientMessageType> = ClientMessages[K];
export type ServerMessage<K extends ServerMessageType = ServerMessageType> = ServerMessages[K];
