import Type from 'typebox';
import { closed } from './closed.ts';
import { NamespaceHooksSchema } from './hooks.ts';
import { ONE_DAY_MS } from './units.ts';

const History = Type.Object(
  {
    maxCount: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 10_000,
      description: 'publications kept per topic (per key in a keyed namespace)',
    }),
    maxAgeMs: Type.Integer({
      minimum: 1000,
      maximum: 366 * ONE_DAY_MS,
      default: ONE_DAY_MS,
      description: 'how long publications are kept',
    }),
    maxBytes: Type.Integer({
      minimum: 65_536,
      default: 268_435_456,
      description: 'bytes kept for the whole namespace; the oldest publications are removed',
    }),
    clientItemsMax: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 10_000,
      description:
        'maximum publications in the answer to one `history` request of a client. 0: clients may not read the history (`unsupported`)',
    }),
  },
  { ...closed, default: {} },
);

export const NamespaceSchema = Type.Object(
  {
    durable: Type.Boolean({
      default: true,
      description: 'true: kept in a log, with order, no gaps, no duplicates, history and recovery. false: delivered at most once, not kept',
    }),
    state: Type.Union([Type.Literal('last'), Type.Literal('keyed'), Type.Literal('document')], {
      default: 'last',
      description:
        'what the state of a topic is. `last`: its last publication; `keyed`: the latest publication of each key: every publication has a key, the last token of its NATS subject; `document`: a document, which publications change by JSON merge patches, or replace',
    }),
    patch: Type.Boolean({
      default: false,
      description:
        'with `state: keyed`: the value of each key is a document, which publications with that key change by JSON merge patches, or replace',
    }),
    delta: Type.Union([Type.Literal('off'), Type.Literal('fields')], {
      default: 'off',
      description:
        'with `state: last` or `keyed`. `fields`: members that ask for it (`delta: true`) get what changed of a value, not the value. It saves bandwidth where values are large and little of them changes; see PUBLISHING.md',
    }),
    documentBytesMax: Type.Integer({
      minimum: 64,
      maximum: 1_040_384,
      default: 262_144,
      description:
        'with `state: document` or `patch`: largest document, in MessagePack. A publication that would make it larger is refused (from a client), or skipped and counted (from a producer). All nodes must have the same bounds',
    }),
    documentDepthMax: Type.Integer({
      minimum: 1,
      maximum: 60,
      default: 16,
      description: 'with `state: document` or `patch`: most levels of maps and lists in a document',
    }),
    documentFieldsMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 20_000,
      description: 'with `state: document` or `patch`: most members of maps and elements of lists in a document, at all levels',
    }),
    documentKeysMax: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 10_000,
      description:
        'with `patch`: most keys of a topic with a document. A publication that would begin another one is refused (from a client), or skipped and counted (from a producer)',
    }),
    topicDocumentsBytesMax: Type.Integer({
      minimum: 65_536,
      maximum: 268_435_456,
      default: 16_777_216,
      description:
        'with `patch`: most bytes of all documents of a topic together, in MessagePack. A publication beyond it is refused or skipped too',
    }),
    topicTokens: Type.Integer({
      minimum: 0,
      maximum: 8,
      default: 0,
      description:
        'number of tokens in every topic of the namespace, the namespace included: `ticks.fx` has 2. A subject with another number is refused, logged and counted; this finds a missing key, and a key with a dot. 0: any number',
    }),
    wildcards: Type.Boolean({
      default: false,
      description:
        'clients may subscribe to patterns of topics: `scores.epl.*`, `scores.>`. Not for documents (`patch` too); with `state: keyed` only with topicTokens',
    }),
    patternsMax: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 100,
      description: 'with `wildcards`: most patterns of the namespace that a node has open. More are refused with `too_many_patterns`',
    }),
    public: Type.Boolean({ default: false, description: 'subscribing needs no token' }),
    clientPublish: Type.Boolean({ default: false, description: 'clients may publish if their token permits it' }),
    sanitize: Type.Union([Type.Literal('off'), Type.Literal('text'), Type.Literal('html')], {
      default: 'off',
      description:
        'what is removed from texts that clients publish, before anybody gets them. `text`: all HTML tags; `html`: all but simple ones (`b`, `i`, `code`, `ul`, `a` with an http, https or mailto address, …). Producers on NATS, nodes and operators publish what they like. Pages must still escape what they show',
    }),
    payload: Type.Union([Type.Literal('json'), Type.Literal('msgpack'), Type.Literal('bytes')], {
      default: 'json',
      description: 'format of the payload in NATS messages. A Content-Type header overrides it for its message',
    }),
    numbers: Type.Union([Type.Literal('double'), Type.Literal('text')], {
      default: 'double',
      description:
        'what becomes of numbers in JSON payloads that a double would change (`0.10`, `1.0`, more than 17 digits, integers beyond 2^53). `double`: doubles, and integers exactly; `text`: they reach clients of both encodings as text, digit for digit. Other numbers stay numbers',
    }),
    history: History,
    mirror: Type.String({
      default: '',
      description:
        'name of a stream that mirrors `stentor-<name>`. This node reads the mirror instead, and publishes to the origin. Only with NATS',
    }),
    mirrorDomain: Type.String({ default: '', description: 'JetStream domain of the mirror. Empty: the domain of the origin' }),
    slowConsumer: Type.Union([Type.Literal('replay'), Type.Literal('conflate'), Type.Literal('skip'), Type.Literal('close')], {
      default: 'replay',
      description:
        'what a slow consumer gets when its socket has drained. `replay`: everything it missed; `conflate`: the latest publication of each key; `skip`: nothing, and it is told; `close`: it is closed with 4103',
    }),
    flushIntervalMs: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 0,
      description: 'time for which publications are batched, even when the node is idle. 0: a publication is sent at once',
    }),
    maxPayloadBytes: Type.Integer({
      minimum: 1,
      maximum: 1_048_576,
      default: 65_536,
      description: 'largest payload of a publication. A larger one is refused (from a client), or skipped and counted (from a producer)',
    }),
    staleAfterMs: Type.Integer({
      minimum: 0,
      maximum: ONE_DAY_MS,
      default: 0,
      description:
        'how long a topic may have neither a publication nor a heartbeat of its producer (`beat.<topic>` on NATS) before its subscribers are told that it is stale (`status`). 0: never. At least 1000. Below 10000 the loss of NATS is told later than 1 s after it',
    }),
    presence: Type.Union([Type.Literal('off'), Type.Literal('count'), Type.Literal('members')], {
      default: 'off',
      description:
        'what clients may ask of who is subscribed to a topic. `count`: how many connections; `members`: also which users, and each who joins or leaves',
    }),
    presenceMembersMax: Type.Integer({
      minimum: 1,
      maximum: 2000,
      default: 500,
      description: 'members of a topic, on all nodes together, above which they are only counted',
    }),
    hooks: NamespaceHooksSchema,
  },
  closed,
);

/** The namespaces if the config names none. Namespaces in the config replace them. */
export const DEFAULT_NAMESPACES = {
  scores: { durable: true, public: true },
  ticks: { durable: true, state: 'keyed', public: true, slowConsumer: 'conflate', history: { maxCount: 1000 } },
  chat: { durable: true, clientPublish: true, history: { maxCount: 1000 } },
  user: { durable: false },
} as const;
