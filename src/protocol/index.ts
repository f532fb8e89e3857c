/** `@stentor-broadcast/server/protocol`: the wire protocol, for clients and tools. */
export { CLOSE_CODES, CLOSE_REASON_TEXTS, type CloseReason, type ReconnectAdvice, reconnectAdvice } from './close-codes.ts';
export { type Codec, DEFLATED_EXT_TYPE, type Encoding, SUBPROTOCOLS } from './codec.ts';
export { ERROR_KINDS, type ErrorCode, ProtocolError } from './errors.ts';
export { jsonCodec } from './json-codec.ts';
export { decodeKey, encodeKey } from './key-token.ts';
export {
  CLIENT_MESSAGES,
  type ClientMessage,
  type ClientMessageType,
  type Item,
  type Position,
  SERVER_MESSAGES,
  type ServerMessage,
  type ServerMessageType,
} from './messages.ts';
export { msgpackCodec } from './msgpack-codec.ts';
export { isKey, isTopic, type Key, matchesPattern, namespaceOf, parseKey, parseTopic, type Topic } from './topic.ts';
export { decodeUser, encodeUser } from './user-topic.ts';
