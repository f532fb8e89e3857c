import type { IncomingMessage } from 'node:http';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Draft } from '../hub/publisher.ts';
import { type NodeFigures, TOPICS_MAX, type TopicSort } from '../hub/report-types.ts';
import { type ErrorCode, ProtocolError } from '../protocol/errors.ts';
import { parseJson } from '../protocol/json-codec.ts';
import { packMsgpack } from '../protocol/msgpack-codec.ts';
import { type Key, parseKey, parseTopic, type Topic } from '../protocol/topic.ts';
import type { Logger } from '../telemetry/log.ts';
import { packageVersion } from '../telemetry/version.ts';
import {
  type NodeAnswer,
  type NodesAnswer,
  type OrderAnswer,
  type PublishAnswer,
  TOPICS_DEFAULT,
  type TopicsAnswer,
} from './admin-answers.ts';
import { type Answer, jsonAnswer, refusal } from './answer.ts';
import { readBody } from './read-body.ts';

/** The sources of the API's answers. */
export interface ApiSources {
  readonly nodeId: string;
  /** The address that clients connect to. */
  readonly port: number;
  /** Largest payload that any namespace permits. */
  readonly payloadBytesMax: number;
  bus(): NodeAnswer['bus'];
  /** Why the node is not ready; undefined if it is ready. */
  notReady(): string | undefined;
  figures(): Promise<NodeFigures>;
  nodes(): Promise<NodesAnswer['nodes']>;
  topics(sort: TopicSort, limit: number): Promise<TopicsAnswer>;
  /** @throws ProtocolError */
  publish(draft: Draft): Promise<PublishAnswer>;
  /** Ends connections, subscriptions or tokens on all nodes. @throws ProtocolError */
  order(value: object): Promise<OrderAnswer>;
}

/** Bytes of a publish request besides its data: field names, topic, key, and some escapes. */
const ENVELOPE_BYTES_MAX = 4096;
const publishBody = Compile(Type.Object({ topic: Type.String(), key: Type.Optional(Type.String()), data: Type.Unknown() }));

const STATUS: Partial<Record<ErrorCode, number>> = {
  unknown_namespace: 404,
  message_too_big: 413,
  unsupported: 404,
  busy: 503,
  unavailable: 503,
  outcome_unknown: 504,
  internal: 500,
};

/** Computes the answers of the admin API. Access has been checked before. */
export class AdminApi {
  readonly #sources: ApiSources;
  readonly #logger: Logger;
  readonly #version = packageVersion();

  constructor(sources: ApiSources, logger: Logger) {
    this.#sources = sources;
    this.#logger = logger;
  }

  async node(publishing: boolean): Promise<NodeAnswer> {
    const { nodeId, port } = this.#sources;
    return {
      nodeId,
      version: this.#version,
      nodeVersion: process.version,
      uptimeMs: Math.round(process.uptime() * 1000),
      port,
      bus: this.#sources.bus(),
      notReady: this.#sources.notReady() ?? null,
      publishing,
      ...(await this.#sources.figures()),
    };
  }

  async nodes(): Promise<NodesAnswer> {
    return { nodes: await this.#sources.nodes() };
  }

  async topics(query: URLSearchParams): Promise<Answer> {
    const sort = query.get('sort') ?? 'members';
    const limit = Number(query.get('limit') ?? TOPICS_DEFAULT);
    if (sort !== 'members' && sort !== 'rate') return refusal(400, 'bad_message', 'sort: expected members or rate');
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= TOPICS_MAX)) {
      return refusal(400, 'bad_message', `limit: expected an integer from 1 to ${TOPICS_MAX}`);
    }
    return jsonAnswer(200, await this.#sources.topics(sort, limit));
  }

  /** @param action the last part of the path, as in {@link ORDERS} */
  async order(action: string, request: IncomingMessage): Promise<Answer> {
    const bytes = await readBody(request, ENVELOPE_BYTES_MAX);
    if (bytes === undefined) return { ...refusal(413, 'message_too_big', `more than ${ENVELOPE_BYTES_MAX} bytes`), ...CLOSE };
    try {
      const body = parseJson(bytes);
      if (typeof body !== 'object' || body === null) throw new ProtocolError('bad_message', 'expected a JSON object');
      return jsonAnswer(200, (await this.#sources.order({ ...body, action })) satisfies OrderAnswer);
    } catch (error) {
      if (error instanceof ProtocolError) return refusal(STATUS[error.code] ?? 400, error.code, error.message);
      throw error;
    }
  }

  async publish(request: IncomingMessage): Promise<Answer> {
    const bytesMax = this.#sources.payloadBytesMax + ENVELOPE_BYTES_MAX;
    const bytes = await readBody(request, bytesMax);
    if (bytes === undefined) return { ...refusal(413, 'message_too_big', `more than ${bytesMax} bytes`), ...CLOSE };
    try {
      const { topic, key, data } = parsePublish(bytes);
      const { epoch, offset, duplicate } = await this.#sources.publish({ topic, key, data: packMsgpack(data) });
      this.#logger.info({ topic, key, offset, bytes: bytes.length }, 'published through the admin API');
      return jsonAnswer(200, { epoch, offset, duplicate } satisfies PublishAnswer);
    } catch (error) {
      if (error instanceof ProtocolError) return refusal(STATUS[error.code] ?? 400, error.code, error.message);
      throw error;
    }
  }
}

/** Closes the connection, so that the unread rest of the body is not parsed as the next request. */
const CLOSE = { headers: { 'Content-Type': 'application/json', Connection: 'close' } };

/** @throws ProtocolError `bad_message`, `bad_topic`, `bad_key` */
function parsePublish(bytes: Uint8Array): { topic: Topic; key: Key | null; data: unknown } {
  const body = parseJson(bytes);
  if (!publishBody.Check(body)) throw new ProtocolError('bad_message', 'expected {"topic": …, "key"?: …, "data": …}');
  return { topic: parseTopic(body.topic), key: body.key === undefined ? null : parseKey(body.key), data: body.data };
}
