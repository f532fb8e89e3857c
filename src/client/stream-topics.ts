import type { ClientMessage, Position, ServerMessage } from '../protocol/messages.ts';
import type { HistoryOptions } from './topic-types.ts';

type Subscribe = ClientMessage<'subscribe'>;

/** One stream: the topics with the same options. */
export interface StreamGroup {
  readonly topics: readonly string[];
  readonly query: string;
  readonly signal: AbortSignal;
}

interface Topic {
  /** Of the command that has not been answered yet. */
  id: number | undefined;
  /** The options of its stream. */
  readonly options: string;
  readonly snapshot: boolean;
  position: Position | undefined;
  /** It has been told that it is not live. */
  isAway: boolean;
}

/** What servers permit that do not say it. More would make the request longer than many proxies permit. */
const TOPICS_PER_STREAM_MAX = 50;

/** Those that are set, in this order, and what is selected. */
export function addParameters(
  query: URLSearchParams,
  values: object,
  { fields = [], filter }: Pick<HistoryOptions, 'fields' | 'filter'>,
): void {
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, String(value));
  for (const path of fields) query.append('fields', path);
  if (filter !== undefined) query.set('filter', JSON.stringify(filter));
}

/** Which topics are in which stream. A stream cannot change, so another one takes its place, and continues at the positions. */
export class StreamTopics {
  readonly #topics = new Map<string, Topic>();
  readonly #streams = new Map<string, AbortController>();
  readonly #begin: (group: StreamGroup) => void;
  #topicsPerStreamMax = TOPICS_PER_STREAM_MAX;
  /** The stream that said last that the broker is away. */
  #away: StreamGroup | undefined;
  /** Streams that are to be opened, when the commands of this turn have been read. */
  readonly #due = new Set<string>();

  constructor(begin: (group: StreamGroup) => void) {
    this.#begin = begin;
  }

  /** What the server permits in one stream. The SDK subscribes when it knows that. */
  permit(topicsPerStreamMax = TOPICS_PER_STREAM_MAX): void {
    this.#topicsPerStreamMax = Math.min(topicsPerStreamMax, TOPICS_PER_STREAM_MAX);
  }

  /** A stream without topics. */
  open(): void {
    this.#openLater('');
  }

  openAgain(): void {
    for (const options of this.#streams.keys()) this.#openLater(options);
  }

  subscribe({ id, topic, since, sinceMs, snapshot = false, maxRateHz, timestamps, presence, fields, filter }: Subscribe): void {
    const query = new URLSearchParams();
    addParameters(query, { sinceMs, maxRateHz, timestamps, presence }, { fields, filter });
    const base = String(query);
    const options = this.#withRoom(base, topic);
    const old = this.#topics.get(topic);
    this.#topics.delete(topic);
    if (old !== undefined && old.options !== options) this.#openLater(old.options);
    this.#topics.set(topic, { id, options, snapshot, position: since, isAway: false });
    this.#openLater(options);
  }

  unsubscribe(topic: string): void {
    const known = this.#topics.get(topic);
    this.#topics.delete(topic);
    if (known !== undefined && this.#of(known.options).length === 0) this.#end(known.options);
  }

  /** A message of a stream, as a WebSocket would have it. */
  translate(group: StreamGroup, message: ServerMessage): ServerMessage[] {
    if (message.type === 'error') return this.#error(group.topics, message);
    if (!('topic' in message) || message.topic === undefined) {
      if (message.type === 'feed') this.#away = message.live ? undefined : group;
      return [message];
    }
    const topic = this.#topics.get(message.topic);
    // Unsubscribed meanwhile.
    if (topic === undefined) return [];
    if (message.type === 'subscribed') return [...this.#liveAgain(group), ...this.#subscribed(topic, message)];
    if (message.type === 'feed') topic.isAway = !message.live;
    const { position } = topic;
    if (message.type === 'batch' && message.epoch !== '') {
      topic.position = { epoch: message.epoch, offset: message.items.at(-1)?.[0] ?? position?.offset ?? 0 };
    } else if (message.type === 'resync') topic.position = { epoch: message.epoch, offset: message.offset };
    return [message];
  }

  /** A stream says nothing of a broker that came back before it began. One that is away is told before the topics. */
  #liveAgain(group: StreamGroup): ServerMessage[] {
    if (this.#away === undefined || this.#away === group || !this.#away.signal.aborted) return [];
    this.#away = undefined;
    return [{ type: 'feed', live: true }];
  }

  /** Of a topic that was there before the stream was opened again: what it missed, or its state. */
  #subscribed(topic: Topic, message: ServerMessage<'subscribed'>): ServerMessage[] {
    const { epoch, offset, recovered, items, topic: name, upTo, stale } = message;
    const before = topic.position;
    if (epoch !== '') topic.position = { epoch, offset };
    if (topic.id !== undefined) {
      const { id } = topic;
      topic.id = undefined;
      return [{ ...message, id }];
    }
    // It may have changed while there was no stream.
    const status: ServerMessage[] = [{ type: 'status', topic: name, stale: stale !== undefined, ...stale }];
    // If it is still away, the stream says so next.
    if (topic.isAway) status.push({ type: 'feed', live: true, topic: name });
    topic.isAway = false;
    if (epoch === '' || (recovered && items.length === 0)) return status;
    if (recovered) return [...status, { type: 'batch', topic: name, epoch, prev: before?.offset ?? 0, sentAtMs: Date.now(), items }];
    const reason = 'what was missed is gone';
    return [...status, { type: 'resync', topic: name, epoch, offset, reason, items, ...(upTo !== undefined && { upTo }) }];
  }

  #error(topics: readonly string[], message: ServerMessage<'error'>): ServerMessage[] {
    const name = message.topic ?? topics[(message.id ?? 0) - 1];
    const topic = name === undefined ? undefined : this.#topics.get(name);
    if (name === undefined || topic === undefined) return [];
    this.#topics.delete(name);
    const { id: _, ...error } = message;
    return [topic.id === undefined ? { ...error, topic: name } : { ...error, id: topic.id }];
  }

  /** The stream with these options that has room. */
  #withRoom(options: string, topic: string): string {
    for (let number = 0; ; number++) {
      const name = `${number};${options}`;
      const others = this.#of(name).filter((other) => other !== topic);
      if (others.length < this.#topicsPerStreamMax) return name;
    }
  }

  #of(options: string): string[] {
    return [...this.#topics].filter(([, topic]) => topic.options === options).map(([name]) => name);
  }

  #openLater(options: string): void {
    if (this.#due.size === 0) void Promise.resolve().then(() => this.#openDue());
    this.#due.add(options);
  }

  #openDue(): void {
    const due = [...this.#due];
    this.#due.clear();
    for (const options of due) this.#openNow(options);
    // The stream without topics has said what it had to say.
    if (due.some((options) => options !== '') && this.#streams.size > 1) this.#end('');
  }

  #openNow(options: string): void {
    this.#end(options);
    const topics = this.#of(options);
    if (options !== '' && topics.length === 0) return;
    const controller = new AbortController();
    this.#streams.set(options, controller);
    this.#begin({ topics, query: this.#queryOf(options, topics), signal: controller.signal });
  }

  #queryOf(options: string, topics: readonly string[]): string {
    const query = new URLSearchParams(options.slice(options.indexOf(';') + 1));
    const known = topics.map((name) => this.#topics.get(name) as Topic);
    for (const name of topics) query.append('topic', name);
    for (const { position } of known) query.append('since', position === undefined ? '' : `${position.epoch}:${position.offset}`);
    // Only for topics without a position.
    for (const { snapshot } of known) query.append('snapshot', String(snapshot));
    return String(query);
  }

  #end(options: string): void {
    this.#streams.get(options)?.abort();
    this.#streams.delete(options);
  }
}
