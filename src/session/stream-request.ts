import { readPositions, StreamPositions } from '../delivery/stream-positions.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import { checkClientMessage } from '../protocol/parse.ts';
import { parseTopic } from '../protocol/topic.ts';
import type { Since } from '../recent/lives.ts';
import type { RequestRefused } from '../transport/transport.ts';
import { readParameters } from './parameters.ts';
import { readSelection } from './selection.ts';

/** A stream of events: what its client would have sent over a WebSocket, and where its topics are. */
export interface Stream {
  /** A `subscribe` for each topic, as JSON. Its id is the topic's place in the request, from 1. */
  readonly commands: readonly Uint8Array[];
  readonly positions: StreamPositions;
}

/** Of no log: the topic starts from its state, and the client is told so. */
const VOID: Since = { epoch: '-', offset: 0 };

const PARAMETERS = {
  many: ['topic', 'snapshot', 'since', 'fields'],
  one: ['timestamps', 'presence', 'maxRateHz', 'filter', 'sinceMs', 'lastEventId'],
};

/**
 * Reads `GET /sse?topic=a&topic=b`. Options of `subscribe` are for all topics; `snapshot` may come once for each topic, and `since=epoch:offset` does, or not
 * at all; where it does not, `sinceMs` counts. Where the client comes back (`Last-Event-ID`), its positions count instead.
 */
export function streamOf(query: string, lastEventId: string, topicsMax: number): { kind: 'stream'; stream: Stream } | RequestRefused {
  try {
    return { kind: 'stream', stream: read(readParameters(query, PARAMETERS), lastEventId, topicsMax) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { kind: 'refused', code: error.code, message: error.message };
  }
}

function read(query: URLSearchParams, header: string, topicsMax: number): Stream {
  const topics = query.getAll('topic');
  if (topics.length > topicsMax) throw new ProtocolError('bad_message', `topic: expected at most ${topicsMax} times, not ${topics.length}`);
  for (const topic of topics) parseTopic(topic);
  if (new Set(topics).size < topics.length) throw new ProtocolError('bad_message', 'topic: the same one comes twice');
  const lastEventId = header || (query.get('lastEventId') ?? '');
  const since = lastEventId === '' ? sinceOf(query, topics.length) : (readPositions(lastEventId, topics) ?? topics.map(() => VOID));
  const snapshots = query.getAll('snapshot');
  if (snapshots.length > 1 && snapshots.length !== topics.length) {
    throw new ProtocolError('bad_message', `snapshot: expected once, or once for each of the ${topics.length} topics`);
  }
  const options = {
    ...flag('timestamps', query.get('timestamps')),
    ...flag('presence', query.get('presence')),
    ...(query.has('maxRateHz') && { maxRateHz: Number(query.get('maxRateHz') || Number.NaN) }),
    ...readSelection(query),
  };
  const sinceMs = query.has('sinceMs') && { sinceMs: Number(query.get('sinceMs') || Number.NaN) };
  const commands = topics.map((topic, index) => {
    const position = since[index];
    const command = {
      ...options,
      ...flag('snapshot', snapshots[index] ?? snapshots[0] ?? null),
      type: 'subscribe',
      id: index + 1,
      topic,
      ...(position === undefined ? sinceMs : { since: position }),
    };
    return Buffer.from(JSON.stringify(checkClientMessage(command) as ClientMessage<'subscribe'>));
  });
  return { commands, positions: new StreamPositions(topics, since) };
}

function flag(name: string, value: string | null): Record<string, boolean> {
  if (value === null) return {};
  if (value !== 'true' && value !== 'false') throw new ProtocolError('bad_message', `${name}: expected true or false`);
  return { [name]: value === 'true' };
}

function sinceOf(query: URLSearchParams, topics: number): (Since | undefined)[] {
  const values = query.getAll('since');
  if (values.length === 0) return [];
  if (values.length !== topics) throw new ProtocolError('bad_message', `since: expected once for each of the ${topics} topics`);
  return values.map((value) => {
    if (value === '') return undefined;
    const [, epoch, offset] = /^(.{1,64}):(\d{1,16})$/.exec(value) ?? [];
    if (epoch === undefined) throw new ProtocolError('bad_message', 'since: expected epoch:offset');
    return { epoch, offset: Number(offset) };
  });
}
