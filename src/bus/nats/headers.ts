import { headers, type Msg, type MsgHdrs } from '@nats-io/transport-node';
import type { NamespaceOptions, PayloadKind } from '../../config/schema.ts';
import { isTag, TAGS_MAX, type Tags } from '../../protocol/tags.ts';
import { TIME_MS_MAX } from '../../protocol/time-range.ts';
import type { Origin, PublishRequest } from '../publication.ts';
import type { CallQuestion, IncomingRequest, OutgoingRequest, RequestAnswer, ServiceError } from '../requests.ts';
import { subjectOf } from '../subjects.ts';
import type { OriginSignatures } from './origin-signatures.ts';

const CONTENT_TYPE = 'Content-Type';
/** Who published, if a client did. A producer with access to NATS can set these too: they are believed unless `nats.originSecrets` is set. */
const USER = 'Stentor-User';
const CONNECTION = 'Stentor-Connection';
const NODE = 'Stentor-Node';
/** Proves that a node has set these two. */
const SIGNATURE = 'Stentor-Signature';
/** `false`: not for the connection in `Stentor-Connection`. */
const ECHO = 'Stentor-Echo';
/** `true`: not kept, and not for subscribers that do not keep up now. */
const VOLATILE = 'Stentor-Volatile';
/** `true`: the payload is a whole document, not a patch. */
const IMAGE = 'Stentor-Image';
/** When the event happened, by the producer's clock: milliseconds since 1970. */
const EVENT_TIME = 'Stentor-Event-Time';
/** With the name of a tag: its text, by which subscribers filter. */
const TAG = 'Stentor-Tag-';
/** For how long somebody waits for an answer, in milliseconds. */
const TIMEOUT_MS = 'Stentor-Timeout-Ms';
/** The key as text. The subject has it too, as a token, so the two are compared. */
const KEY = 'Stentor-Key';

/** How a service says that it failed, by the convention of NATS services. */
const SERVICE_ERROR_CODE = 'Nats-Service-Error-Code';
const SERVICE_ERROR = 'Nats-Service-Error';

const CONTENT_TYPES: Readonly<Record<PayloadKind, string>> = {
  json: 'application/json',
  msgpack: 'application/msgpack',
  bytes: 'application/octet-stream',
};

/** @returns undefined if there is nothing to set; most messages of a feed have no headers */
export function headersOf(request: PublishRequest, namespace: NamespaceOptions, signatures: OriginSignatures): MsgHdrs | undefined {
  const { payloadKind, origin, image, noEcho, volatile, eventAtMs, tags } = request;
  const isMarked = eventAtMs !== undefined || tags !== undefined;
  if (payloadKind === namespace.payload && origin === undefined && !image && !volatile && !isMarked) return undefined;
  const all = headers();
  if (noEcho) all.set(ECHO, 'false');
  if (volatile) all.set(VOLATILE, 'true');
  if (payloadKind !== namespace.payload) all.set(CONTENT_TYPE, CONTENT_TYPES[payloadKind]);
  if (origin !== undefined) {
    // Escaped: a user may be any text, but a header value may not contain line breaks and is trimmed.
    const user = escaped(origin.user);
    const connection = escaped(origin.connectionId);
    all.set(USER, user);
    all.set(CONNECTION, connection);
    const signature = signatures.sign({ subject: subjectOf(request.topic, request.key), user, connection, payload: request.payload });
    if (signature !== undefined) all.set(SIGNATURE, signature);
  }
  if (image === true) all.set(IMAGE, 'true');
  if (eventAtMs !== undefined) all.set(EVENT_TIME, String(eventAtMs));
  for (const [name, value] of Object.entries(tags ?? {})) all.set(TAG + name, value);
  return all;
}

/** What a service is told of a call beside its payload. */
export function callHeadersOf({ payloadKind, caller }: CallQuestion): MsgHdrs {
  const all = headers();
  all.set(CONTENT_TYPE, CONTENT_TYPES[payloadKind]);
  all.set(USER, escaped(caller.user));
  all.set(CONNECTION, escaped(caller.connectionId));
  all.set(NODE, escaped(caller.nodeId));
  return all;
}

/** Of what a server sends to a connection, or to all of a namespace. */
export function requestHeadersOf({ payloadKind, timeoutMs, volatile }: Partial<OutgoingRequest>): MsgHdrs {
  const all = headers();
  all.set(CONTENT_TYPE, CONTENT_TYPES[payloadKind ?? 'json']);
  if (timeoutMs !== undefined) all.set(TIMEOUT_MS, String(timeoutMs));
  if (volatile) all.set(VOLATILE, 'true');
  return all;
}

export function readRequestHeaders(message: {
  readonly headers?: MsgHdrs;
}): Pick<IncomingRequest, 'payloadKind' | 'timeoutMs' | 'volatile'> {
  let contentType = '';
  let timeoutMs = Number.NaN;
  let volatile = false;
  for (const [name, [value = '']] of decoded(message) ?? []) {
    if (isHeader(name, CONTENT_TYPE)) contentType = value;
    else if (isHeader(name, TIMEOUT_MS)) timeoutMs = Number(value);
    else if (isHeader(name, VOLATILE)) volatile = value.trim() === 'true';
  }
  return { payloadKind: payloadKindOf(contentType), timeoutMs: timeoutMs >= 1 ? timeoutMs : undefined, volatile };
}

/** Of an answer, as services send it. */
export function answerHeadersOf(answer: RequestAnswer): MsgHdrs {
  const all = headers();
  if (answer.kind === 'result') all.set(CONTENT_TYPE, CONTENT_TYPES[answer.payloadKind]);
  else {
    all.set(SERVICE_ERROR_CODE, oneLine(answer.code));
    all.set(SERVICE_ERROR, oneLine(answer.text));
  }
  return all;
}

/** A client's text may have line breaks, which a header cannot. */
function oneLine(text: string): string {
  return Buffer.from(text.replace(/[\r\n]+/g, ' ')).toString();
}

/** What an answer's headers say: the format of its payload, or that the service failed. */
export function readAnswerHeaders(message: { readonly headers?: MsgHdrs }): {
  readonly payloadKind: PayloadKind | undefined;
  readonly serviceError: ServiceError | undefined;
} {
  let contentType = '';
  let code: string | undefined;
  let text: string | undefined;
  for (const [name, [value = '']] of decoded(message) ?? []) {
    if (isHeader(name, CONTENT_TYPE)) contentType = value;
    else if (isHeader(name, SERVICE_ERROR_CODE)) code = value.trim();
    else if (isHeader(name, SERVICE_ERROR)) text = value.trim();
  }
  const failed = code !== undefined || text !== undefined;
  return {
    payloadKind: payloadKindOf(contentType),
    serviceError: failed ? { kind: 'serviceError', code: code ?? '', text: text ?? '' } : undefined,
  };
}

export interface ReadHeaders {
  readonly payloadKind: PayloadKind | undefined;
  readonly origin: Origin | undefined;
  /** There is an origin, but no node has signed it. */
  readonly originForged?: true;
  /** Without the spaces around it, which NATS clients remove. */
  readonly key: string | undefined;
  readonly image: boolean;
  readonly noEcho: boolean;
  readonly volatile: boolean;
  readonly eventAtMs: number | undefined;
  readonly tags?: Tags | undefined;
}

const NOTHING: ReadHeaders = {
  payloadKind: undefined,
  origin: undefined,
  key: undefined,
  image: false,
  noEcho: false,
  volatile: false,
  eventAtMs: undefined,
};

/** Reads the headers of a message. Costs nothing if there are none, about 2 µs otherwise, and more where origins are signed. */
export function readHeaders(message: Readonly<Pick<Msg, 'headers' | 'subject' | 'data'>>, signatures: OriginSignatures): ReadHeaders {
  const all = decoded(message);
  if (all === undefined) return NOTHING;
  let contentType = '';
  let user = '';
  let connection = '';
  let signature = '';
  let key: string | undefined;
  let image = false;
  let noEcho = false;
  let volatile = false;
  let eventAtMs: number | undefined;
  let tags: Record<string, string> | undefined;
  // One pass over all headers: each lookup by name would list all names first.
  for (const [name, [value = '']] of all) {
    if (isHeader(name, CONTENT_TYPE)) contentType = value;
    else if (isHeader(name, USER)) user = value;
    else if (isHeader(name, CONNECTION)) connection = value;
    else if (isHeader(name, SIGNATURE)) signature = value;
    else if (isHeader(name, KEY)) key = value.trim();
    else if (isHeader(name, IMAGE)) image = value.trim() === 'true';
    else if (isHeader(name, ECHO)) noEcho = value.trim() === 'false';
    else if (isHeader(name, VOLATILE)) volatile = value.trim() === 'true';
    else if (isHeader(name, EVENT_TIME)) eventAtMs = timeOf(value);
    else tags = withTag(tags, name, value.trim());
  }
  const origin = originOf(user, connection);
  // Without a user it claims nothing: a service sends so to all but one connection.
  const isForged =
    origin !== undefined &&
    origin.user !== '' &&
    !signatures.isBelieved({ subject: message.subject, user, connection, payload: message.data }, signature);
  return {
    payloadKind: payloadKindOf(contentType),
    origin: isForged ? undefined : origin,
    key,
    image,
    noEcho,
    volatile,
    eventAtMs,
    ...(tags !== undefined && { tags }),
    ...(isForged && { originForged: true }),
  };
}

/** Whole milliseconds since 1970; undefined for anything else: a publication is worth more than its time. */
function timeOf(value: string): number | undefined {
  const text = value.trim();
  if (!/^\d{1,16}(?:\.\d*)?$/.test(text)) return undefined;
  const ms = Math.floor(Number(text));
  return ms <= TIME_MS_MAX ? ms : undefined;
}

/** What is no tag, or one too many, is left out: a publication is worth more than its tags. */
function withTag(tags: Record<string, string> | undefined, header: string, value: string): Record<string, string> | undefined {
  if (!isHeader(header.slice(0, TAG.length), TAG)) return tags;
  const name = header.slice(TAG.length).toLowerCase();
  if (!isTag(name, value) || Object.keys(tags ?? {}).length >= TAGS_MAX) return tags;
  return { ...tags, [name]: value };
}

/** NATS keeps the case of names, and some clients and proxies write them in lower case. */
function isHeader(name: string, ours: string): boolean {
  return name === ours || (name.length === ours.length && name.toLowerCase() === ours.toLowerCase());
}

/** A producer may send headers that the client cannot decode, which it finds only when they are read. The payload is still valid. */
function decoded(message: { readonly headers?: MsgHdrs }): MsgHdrs | undefined {
  try {
    return message.headers;
  } catch {
    return undefined;
  }
}

/** @returns undefined if there is none, or an unknown one: then the namespace's option decides */
function payloadKindOf(contentType: string): PayloadKind | undefined {
  const [type = ''] = contentType.split(';');
  switch (type.trim().toLowerCase()) {
    case 'application/json':
      return 'json';
    case 'application/msgpack':
    case 'application/x-msgpack':
    case 'application/vnd.msgpack':
      return 'msgpack';
    case 'application/octet-stream':
      return 'bytes';
    default:
      return undefined;
  }
}

function originOf(user: string, connection: string): Origin | undefined {
  if (connection === '') return undefined;
  try {
    return { user: decodeURIComponent(user), connectionId: decodeURIComponent(connection) };
  } catch {
    // Not escaped as nodes do it, so not set by a node.
    return undefined;
  }
}

/** Lone surrogates, which a token's JSON may contain and which cannot be escaped, become U+FFFD. */
function escaped(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}
