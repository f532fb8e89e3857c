/** `@stentor-broadcast/server`: the API for programs that embed the server. */
export type { PublishAck } from './bus/publication.ts';
export { type LoadedConfig, loadConfig } from './config/load.ts';
export type { Config, NamespaceOptions } from './config/schema.ts';
export type {
  AskedOptions,
  ConnectAnswer,
  ConnectionHooks,
  ConnectQuestion,
  DisconnectQuestion,
  NamespaceHooks,
  PublishAnswer,
  PublishQuestion,
  SubscribeAnswer,
  SubscribeOptions,
  SubscribeQuestion,
} from './hooks/types.ts';
export type { ProgramPublication } from './hub/program-publication.ts';
export type { ProgramCall, ProgramMessage, ProgramSent } from './hub/sending/program.ts';
export type { ClientAnswer, ClientsCalled } from './hub/sending/sender.ts';
export { type NodeOptions, type RunningNode, startNode } from './node.ts';
export { type ErrorCode, ProtocolError } from './protocol/errors.ts';
export { decodeKey, encodeKey } from './protocol/key-token.ts';
export { isKey, isTopic, type Key, parseKey, parseTopic, type Topic } from './protocol/topic.ts';
export { createLogger, type Logger } from './telemetry/log.ts';
