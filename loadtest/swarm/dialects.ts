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
  control(payload: Buffer, subscription: Subscription): Reaction;
  /** Ends the subscription to a topic; absent: the swarm never does that with this kind of server. */
  leave?(topic: string): Buffer;
}

export interface Subscription {
  readonly topic: string;
  readonly maxRateHz?: number;
  /** Be told who is subscribed, and who joins or leaves. */
  readonly presence?: boolean;
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

export type DialectName = 'stentor' | 'stentor-json' | 'stentor-sse' | 'plain' | 'socketio' | 'nats' | 'centrifugo';

const NONE: Reaction = { kind: 'none' };
const READY: Reaction = { kind: 'ready', topics: 1 };

function text(message: string): Buffer {
  return clientFrame(OPCODE.text, Buffer.from(message));
}

const stentor: Dialect = {
  path: '/ws',
  subprotocol: 'stentor.v1.msgpack',
  hello(subscription, topics) {
    const commands = subscribes(subscription, topics).map((command) => pack(command));
    return inMessages(commands, msgpackArray).map((message) => clientFrame(OPCODE.binary, message));
  },
  control: (payload) => stentorReaction(unpack(payload)),
  leave: (topic) => clientFrame(OPCODE.binary, pack({ type: 'unsubscribe', id: 0, topic })),
};

const stentorJson: Dialect = {
  path: '/ws',
  subprotocol: 'stentor.v1.json',
  hello(subscription, topics) {
    const commands = subscribes(subscription, topics).map((command) => Buffer.from(JSON.stringify(command)));
    return inMessages(commands, jsonArray).map((message) => clientFrame(OPCODE.text, message));
  },
  control: (payload) => stentorReaction(JSON.parse(payload.toString())),
};

const stentorSse: Dialect = {
  path: '/sse',
  isStream: true,
  pathFor: (topics) => `/sse?${topics.map((topic) => `topic=${topic}`).join('&')}`,
  hello: () => [],
  control: (payload) => stentorReaction(JSON.parse(payload.toString())),
};

/** What the server takes in one message unless it says otherwise (`connected.limits`). */
const COMMANDS_MAX = 1000;
const MESSAGE_BYTES_MAX = 65_536;
/** Of an array: MessagePack's header, or JSON's brackets. */
const ARRAY_BYTES = 3;

function subscribes({ maxRateHz, presence, positions }: Subscription, topics: readonly string[]): object[] {
  return topics.map((topic, i) => {
    const at = positions?.get(topic);
    const since = at === undefined ? {} : { since: { epoch: at.epoch, offset: at.offset } };
    return {
      type: 'subscribe',
      id: i + 1,
      topic,
      ...(maxRateHz === undefined ? {} : { maxRateHz }),
      ...(presence === undefined ? {} : { presence }),
      ...since,
    };
  });
}

/** Commands in messages as large as the server takes, as the SDK sends them: one alone is a message, more are an array. */
export function inMessages(commands: readonly Buffer[], arrayOf: (commands: readonly Buffer[]) => Buffer): Buffer[] {
  const groups: Buffer[][] = [];
  let bytes = 0;
  for (const command of commands) {
    const group = groups.at(-1);
    // One more in JSON: the comma.
    const more = command.length + 1;
    if (group !== undefined && group.length < COMMANDS_MAX && bytes + more <= MESSAGE_BYTES_MAX) {
      group.push(command);
      bytes += more;
    } else {
      groups.push([command]);
      bytes = ARRAY_BYTES + more;
    }
  }
  return groups.map((group) => (group.length === 1 ? group[0]! : arrayOf(group)));
}

function msgpackArray(commands: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0xdc, commands.length >> 8, commands.length & 255]), ...commands]);
}

function jsonArray(commands: readonly Buffer[]): Buffer {
  return Buffer.from(`[${commands.join(',')}]`);
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

function stentorReaction(message: StentorMessage): Reaction {
  const { topic, epoch, offset } = message;
  if (message.type === 'subscribed') {
    return topic && epoch && offset !== undefined ? { kind: 'ready', topics: 1, at: { topic, epoch, offset } } : READY;
  }
  if (message.type === 'error') return { kind: 'refused', why: `${message.code}: ${message.message}` };
  if (message.type === 'lagged') return { kind: 'lagged', skipped: message.skipped ?? 0 };
  return NONE;
}

/** Bare uWS and `ws` as the servers of this folder set them up. */
const plain: Dialect = {
  path: '/',
  hello: (_, topics) => [text(`sub ${topics.join(' ')}`)],
  control(payload) {
    const answer = payload.toString('latin1');
    return answer.startsWith('ok') ? { kind: 'ready', topics: Number(answer.slice(2) || 1) } : NONE;
  },
};

const socketio: Dialect = {
  path: '/socket.io/?EIO=4&transport=websocket',
  hello: () => [],
  control(payload, { topic }) {
    const message = payload.toString('latin1');
    if (message.startsWith('0{')) return { kind: 'reply', frames: [text('40')] };
    if (message.startsWith('40{')) return { kind: 'reply', frames: [text(`42${JSON.stringify(['sub', topic])}`)] };
    if (message === '2') return { kind: 'reply', frames: [text('3')] };
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
    if (message.includes('-ERR')) return { kind: 'refused', why: message.trim() };
    if (message.includes('PONG')) return READY;
    if (message.includes('PING')) return { kind: 'reply', frames: [clientFrame(OPCODE.binary, Buffer.from('PONG\r\n'))] };
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
    if (message.includes('"error"')) return { kind: 'refused', why: message.trim() };
    const confirmed = message.match(/"id":(?!1[,}])\d+/g)?.length ?? 0;
    if (confirmed > 0) return { kind: 'ready', topics: confirmed };
    return message.trim() === '{}' ? { kind: 'reply', frames: [text('{}')] } : NONE;
  },
};

export const DIALECTS: Record<DialectName, Dialect> = {
  stentor,
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
