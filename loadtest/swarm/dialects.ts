import { pack, unpack } from 'msgpackr';
import { clientFrame, OPCODE } from '../../src/bench/frames.ts';

/** What a frame without items asks of the client. */
export type Reaction =
  | { readonly kind: 'none' }
  /** So many subscriptions are confirmed, the topic's at this position where there is one. */
  | { readonly kind: 'ready'; readonly topics: number; readonly at?: TopicPosition }
  | { readonly kind: 'reply'; readonly frames: readonly Buffer[] }
  | { readonly kind: 'lagged'; readonly skipped: number }
  | { readonly kind: 'refused'; readonly why: string };

/** How a client of one kind of server subscribes; the counting of items is the same for all. */
export interface Dialect {
  readonly path: string;
  /** A stream of events (SSE) instead of a WebSocket: its request asks for the topics. */
  readonly isStream?: true;
  /** Of a stream of events. */
  pathFor?(topics: readonly string[]): string;
  readonly subprotocol?: string;
  /** Sent as soon as the WebSocket is open, or later. */
  hello(subscription: Subscription, topics: readonly string[]): readonly Buffer[];
  /** What each message of the frame asks for. */
  control(payload: Buffer, subscription: Subscription): readonly Reaction[];
  /** Ends the subscription to a topic; absent: the swarm never does that with this kind of server. */
  leave?(topic: string): Buffer;
}

export interface Subscription {
  readonly topic: string;
  readonly maxRateHz?: number;
  /** Be told who is subscribed, and who joins or leaves. */
  readonly presence?: boolean;
  /** What is larger than a frame comes in parts. An item counts with the part that has its stamp, the first one. */
  readonly parts?: boolean;
  /** Where to go on, by topic: what a client has that comes back. */
  readonly positions?: Positions;
}

/** `{epoch, offset}` by topic, as the server said them. */
export type Positions = ReadonlyMap<string, TopicPosition>;

export interface TopicPosition {
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
}

export type DialectName = 'stentor' | 'stentor-parts' | 'stentor-json' | 'stentor-sse' | 'plain' | 'socketio' | 'nats' | 'centrifugo';

const NONE: readonly Reaction[] = [{ kind: 'none' }];
const READY: readonly Reaction[] = [{ kind: 'ready', topics: 1 }];

function text(message: string): Buffer {
  return clientFrame(OPCODE.text, Buffer.from(message));
}

const stentor: Dialect = {
  path: '/ws',
  subprotocol: 'stentor.v1.msgpack',
  hello(subscription, topics) {
    return subscribes(subscription, topics).map((command) => clientFrame(OPCODE.binary, pack(command)));
  },
  control: (payload) => stentorReactions(unpack(payload)),
  leave: (topic) => clientFrame(OPCODE.binary, pack({ type: 'unsubscribe', id: 0, topic })),
};

const stentorParts: Dialect = { ...stentor, hello: (subscription, topics) => stentor.hello({ ...subscription, parts: true }, topics) };

const stentorJson: Dialect = {
  path: '/ws',
  subprotocol: 'stentor.v1.json',
  hello(subscription, topics) {
    return subscribes(subscription, topics).map((command) => text(JSON.stringify(command)));
  },
  control: (payload) => stentorReactions(JSON.parse(payload.toString())),
};

const stentorSse: Dialect = {
  path: '/sse',
  isStream: true,
  pathFor: (topics) => `/sse?${topics.map((topic) => `topic=${topic}`).join('&')}`,
  hello: () => [],
  control: (payload) => stentorReactions(JSON.parse(payload.toString())),
};

/** What the server takes in one message unless it says otherwise (`connected.limits`). */
const COMMANDS_MAX = 1000;
const MESSAGE_BYTES_MAX = 65_536;
/** What a topic takes besides its name, in JSON, and a message besides its topics: no less. */
const TOPIC_BYTES = 40;
const MESSAGE_BYTES = 500;

/** For one topic `subscribe`; for many as few `subscribeMany` as the server takes, one for each epoch. */
function subscribes({ maxRateHz, presence, parts, positions }: Subscription, topics: readonly string[]): object[] {
  const wish = {
    ...(maxRateHz === undefined ? {} : { maxRateHz }),
    ...(presence === undefined ? {} : { presence }),
    ...(parts === undefined ? {} : { parts }),
  };
  if (topics.length === 1) {
    const at = positions?.get(topics[0]!);
    const since = at === undefined ? {} : { since: { epoch: at.epoch, offset: at.offset } };
    return [{ type: 'subscribe', id: 1, topic: topics[0], ...wish, ...since }];
  }
  const all: object[] = [];
  const open = new Map<string | undefined, { readonly topics: unknown[]; bytes: number }>();
  for (const [index, topic] of topics.entries()) {
    const at = positions?.get(topic);
    const bytes = topic.length + TOPIC_BYTES;
    let many = open.get(at?.epoch);
    if (many === undefined || many.topics.length === COMMANDS_MAX || many.bytes + bytes > MESSAGE_BYTES_MAX) {
      many = { topics: [], bytes: MESSAGE_BYTES };
      open.set(at?.epoch, many);
      all.push({ type: 'subscribeMany', ...wish, ...(at === undefined ? {} : { epoch: at.epoch }), topics: many.topics });
    }
    many.topics.push(at === undefined ? [index + 1, topic] : [index + 1, topic, at.offset]);
    many.bytes += bytes;
  }
  return all;
}

interface StentorMessage {
  readonly type: string;
  readonly topic?: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly code?: string;
  readonly message?: string;
  readonly skipped?: number;
}

/** Of a message, or of an array of them. */
function stentorReactions(value: StentorMessage | readonly StentorMessage[]): Reaction[] {
  return (Array.isArray(value) ? value : [value]).map(stentorReaction);
}

function stentorReaction(message: StentorMessage): Reaction {
  const { topic, epoch, offset } = message;
  if (message.type === 'subscribed') {
    return { kind: 'ready', topics: 1, ...(topic && epoch && offset !== undefined && { at: { topic, epoch, offset } }) };
  }
  if (message.type === 'error') return { kind: 'refused', why: `${message.code}: ${message.message}` };
  if (message.type === 'lagged') return { kind: 'lagged', skipped: message.skipped ?? 0 };
  return { kind: 'none' };
}

/** Bare uWS and `ws` as the servers of this folder set them up. */
const plain: Dialect = {
  path: '/',
  hello: (_, topics) => [text(`sub ${topics.join(' ')}`)],
  control(payload) {
    const answer = payload.toString('latin1');
    return answer.startsWith('ok') ? [{ kind: 'ready', topics: Number(answer.slice(2) || 1) }] : NONE;
  },
};

const socketio: Dialect = {
  path: '/socket.io/?EIO=4&transport=websocket',
  hello: () => [],
  control(payload, { topic }) {
    const message = payload.toString('latin1');
    if (message.startsWith('0{')) return [{ kind: 'reply', frames: [text('40')] }];
    if (message.startsWith('40{')) return [{ kind: 'reply', frames: [text(`42${JSON.stringify(['sub', topic])}`)] }];
    if (message === '2') return [{ kind: 'reply', frames: [text('3')] }];
    return message === '42["ok"]' ? READY : NONE;
  },
};

const nats: Dialect = {
  path: '/',
  hello({ topic }) {
    const lines = ['CONNECT {"verbose":false,"pedantic":false,"headers":true,"protocol":1}', `SUB ${natsSubject(topic)} 1`, 'PING', ''];
    return [clientFrame(OPCODE.binary, Buffer.from(lines.join('\r\n')))];
  },
  control(payload) {
    const message = payload.toString('latin1');
    if (message.includes('-ERR')) return [{ kind: 'refused', why: message.trim() }];
    if (message.includes('PONG')) return READY;
    if (message.includes('PING')) return [{ kind: 'reply', frames: [clientFrame(OPCODE.binary, Buffer.from('PONG\r\n'))] }];
    return NONE;
  },
};

const centrifugo: Dialect = {
  path: '/connection/websocket',
  hello: (_, topics) => {
    const subscribes = topics.map((topic, i) => `{"id":${i + 2},"subscribe":{"channel":${JSON.stringify(topic)}}}`);
    return [text(['{"id":1,"connect":{}}', ...subscribes].join('\n'))];
  },
  control(payload) {
    const message = payload.toString('latin1');
    if (message.includes('"error"')) return [{ kind: 'refused', why: message.trim() }];
    const confirmed = message.match(/"id":(?!1[,}])\d+/g)?.length ?? 0;
    if (confirmed > 0) return [{ kind: 'ready', topics: confirmed }];
    return message.trim() === '{}' ? [{ kind: 'reply', frames: [text('{}')] }] : NONE;
  },
};

export const DIALECTS: Record<DialectName, Dialect> = {
  stentor,
  'stentor-parts': stentorParts,
  'stentor-json': stentorJson,
  'stentor-sse': stentorSse,
  plain,
  socketio,
  nats,
  centrifugo,
};

/** Where producers publish a topic: the same subject for Stentor, the bare NATS client, and NATS's own listener. */
export function natsSubject(topic: string): string {
  return `feed.${topic}`;
}
