import { CLOSE_CODES } from '../protocol/close-codes.ts';
import { SUBPROTOCOLS } from '../protocol/codec.ts';
import type { ClientMessage, ServerMessage } from '../protocol/messages.ts';
import { subscribesOf } from '../protocol/subscribe-many.ts';
import { isTopic } from '../protocol/topic.ts';
import { decodeMessages, encodeAny } from './codec.ts';
import { readEvents } from './event-reader.ts';
import { ABNORMAL_CLOSURE } from './state.ts';
import { addParameters, type StreamGroup, StreamTopics } from './stream-topics.ts';
import type { Bytes, WebSocketLike } from './websocket.ts';

type Handler = ((event: never) => void) | null;
type Refusal = { readonly code: string; readonly message: string; readonly retryAfterMs?: number; readonly service?: true };

/** Before the server has said it. */
const PING_INTERVAL_MS = 25_000;
const RETRYABLE: ReadonlySet<number> = new Set([408, 429, 500, 503, 504]);

/**
 * Looks like a WebSocket to the SDK, and is a stream of events for each kind of subscription, and requests for the rest. If one of its streams ends, it closes:
 * the SDK connects again, and every topic continues at its position.
 */
export class StreamSocket implements WebSocketLike {
  binaryType = 'arraybuffer';
  readonly protocol = SUBPROTOCOLS.msgpack;
  readonly bufferedAmount = 0;
  onopen: Handler = null;
  onmessage: Handler = null;
  onerror: Handler = null;
  onclose: Handler = null;
  readonly #url: URL;
  readonly #topics = new StreamTopics((group) => void this.#stream(group));
  readonly #stopping = new AbortController();
  #token: string | undefined;
  #connectId: number | undefined;
  #refreshId: number | undefined;
  #pingIntervalMs = PING_INTERVAL_MS;
  #clockOffsetMs = 0;
  #heardAtMs = Date.now();

  constructor(url: string) {
    this.#url = new URL(url.replace(/^ws/i, 'http'));
    void Promise.resolve().then(() => (this.onopen as ((event: unknown) => void) | null)?.({}));
  }

  send(frame: Bytes): void {
    for (const message of decodeMessages<ClientMessage>(frame)) this.#command(message);
  }

  close(): void {
    this.#stopping.abort();
    void Promise.resolve().then(() => this.#closed(1000, ''));
  }

  terminate(): void {
    this.#stopping.abort();
    this.onclose = null;
  }

  #command(message: ClientMessage): void {
    switch (message.type) {
      case 'connect':
        this.#token = message.token;
        this.#connectId = message.id;
        // A stream without topics: its `connected` is the answer.
        return this.#topics.open();
      case 'subscribe':
        // The server would refuse the whole stream.
        if (message.key === undefined && isTopic(message.topic)) return this.#topics.subscribe(message);
        return this.#refuse(message.id, { code: 'unsupported', message: 'a stream of events has whole topics only' }, false);
      case 'subscribeMany':
        for (const one of subscribesOf(message)) this.#command(one);
        return;
      case 'unsubscribe':
        if (message.key === undefined) this.#topics.unsubscribe(message.topic);
        return this.#give({ type: 'unsubscribed', id: message.id, topic: message.topic });
      case 'refresh':
        this.#token = message.token;
        this.#refreshId = message.id;
        return this.#topics.openAgain();
      case 'ping':
        // Comments of the server show that the streams are alive.
        if (Date.now() - this.#heardAtMs > 2 * this.#pingIntervalMs) return;
        return this.#give({
          type: 'pong',
          serverTimeMs: Date.now() + this.#clockOffsetMs,
          ...(message.t !== undefined && { t: message.t }),
        });
      case 'publish':
        return void this.#publish(message);
      case 'history':
        // As a request the items would come all at once.
        if (message.speed === undefined) return void this.#history(message);
        return this.#refuse(message.id, { code: 'unsupported', message: 'a stream of events has no replays' }, false);
      default:
        return this.#refuse(message.id, { code: 'unsupported', message: `a stream of events has no ${message.type}` }, false);
    }
  }

  async #publish({ type: _, id, ...publication }: ClientMessage<'publish'>): Promise<void> {
    let body: string;
    try {
      body = JSON.stringify(publication, refuseBytes);
    } catch {
      return this.#refuse(id, { code: 'bad_payload', message: 'a stream of events publishes JSON: no bytes, no bigints' }, false);
    }
    await this.#request(id, 'publish', { method: 'POST', body }, (published) => ({ type: 'published', ...published }));
  }

  async #history({ id, topic, since, ...question }: ClientMessage<'history'>): Promise<void> {
    const query = new URLSearchParams({ topic });
    if (since !== undefined) {
      query.set('epoch', since.epoch);
      query.set('offset', String(since.offset));
    }
    const { key, last, fromMs, toMs, limit, timestamps } = question;
    addParameters(query, { key, last, fromMs, toMs, limit, timestamps }, question);
    await this.#request(id, `history?${query}`, {}, (page) => ({ type: 'history', ...page }));
  }

  async #request(id: number | undefined, path: string, init: RequestInit, answer: (body: object) => object): Promise<void> {
    try {
      const response = await this.#fetch(path, init);
      const body = (await response.json()) as { readonly error?: Refusal };
      if (body.error !== undefined) return this.#refuse(id, body.error, RETRYABLE.has(response.status));
      if (id !== undefined) this.#give({ id, ...answer(body) } as unknown as ServerMessage);
    } catch {
      // Unanswered: the SDK sends it again after the reconnect.
      this.#closed(ABNORMAL_CLOSURE, 'a request failed');
    }
  }

  /** Follows a group of topics until its stream ends, or another one takes its place. */
  async #stream(group: StreamGroup): Promise<void> {
    const { signal } = group;
    try {
      const response = await this.#fetch(`sse?${group.query}`, { signal: AbortSignal.any([signal, this.#stopping.signal]) });
      if (!response.ok || response.body === null) return await this.#refused(response);
      for await (const { event, data } of readEvents(response.body, () => this.#heard())) {
        if (signal.aborted) return;
        if (event === 'closed') return this.#closed((data as { code: number }).code, (data as { reason: string }).reason);
        this.#received(group, data as ServerMessage);
      }
    } catch {
      // Cut, or the network is gone.
    }
    if (!signal.aborted) this.#closed(ABNORMAL_CLOSURE, 'the stream ended');
  }

  async #refused(response: Response): Promise<void> {
    const { error } = (await response.json().catch(() => ({}))) as { readonly error?: Refusal };
    const { code = 'unavailable', message = `HTTP ${response.status}` } = error ?? {};
    // Without an error of Stentor's it comes from something in between, such as the portal of a network, and may pass.
    const isFinal = error?.code !== undefined && !RETRYABLE.has(response.status);
    if (this.#connectId !== undefined) this.#refuse(this.#connectId, { ...error, code, message }, !isFinal);
    this.#closed(isFinal ? CLOSE_CODES.unauthorized : CLOSE_CODES.serverError, `${code}: ${message}`);
  }

  #received(group: StreamGroup, message: ServerMessage): void {
    if (message.type === 'connected') return this.#connected(message);
    for (const one of this.#topics.translate(group, message)) this.#give(one);
  }

  #connected(message: ServerMessage<'connected'>): void {
    this.#pingIntervalMs = message.pingIntervalMs;
    this.#topics.permit(message.limits.topicsPerStreamMax);
    this.#clockOffsetMs = message.serverTimeMs - Date.now();
    const { expiresAtMs } = message;
    if (this.#refreshId !== undefined) {
      this.#give({ type: 'refreshed', id: this.#refreshId, ...(expiresAtMs !== undefined && { expiresAtMs }) });
      this.#refreshId = undefined;
    }
    if (this.#connectId === undefined) return;
    this.#give({ ...message, id: this.#connectId });
    this.#connectId = undefined;
  }

  #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` };
    return fetch(new URL(path, this.#url), { credentials: 'omit', signal: this.#stopping.signal, ...init, headers });
  }

  #heard(): void {
    this.#heardAtMs = Date.now();
  }

  #refuse(id: number | undefined, { code, message, retryAfterMs, service }: Refusal, retryable: boolean): void {
    if (id === undefined) return;
    const more = { ...(retryAfterMs !== undefined && { retryAfterMs }), ...(service && { service }) };
    this.#give({ type: 'error', id, code, message, retryable, ...more });
  }

  #give(message: ServerMessage): void {
    if (this.#stopping.signal.aborted) return;
    const bytes = encodeAny(message);
    const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    (this.onmessage as ((event: unknown) => void) | null)?.({ data });
  }

  #closed(code: number, reason: string): void {
    this.#stopping.abort();
    const { onclose } = this;
    this.onclose = null;
    (onclose as ((event: unknown) => void) | null)?.({ code, reason });
  }
}

function refuseBytes(_: string, value: unknown): unknown {
  if (typeof value === 'bigint' || ArrayBuffer.isView(value)) throw new TypeError('not JSON');
  return value;
}
