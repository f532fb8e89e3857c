import { once } from 'node:events';
import { Chain } from '../k6/lib/chain.js';
import { decode, encode } from '../k6/lib/msgpack.js';
import { ENCODING, TOPIC } from './settings.mjs';

const BINARY = ENCODING === 'msgpack';
const ANSWER_TIMEOUT_MS = 10_000;

/** One virtual user's connection: speaks the protocol over the socket that artillery's `ws` engine has opened, and measures what arrives. */
export class Client {
  #events;
  #socket;
  #chain = new Chain();
  #waiting = new Map();
  #nextId = 1;
  #ending = false;

  /** @param socket artillery's, of the `ws` package @param events artillery's: `counter`, `histogram` */
  constructor(socket, events) {
    this.#events = events;
    this.#attach(socket);
  }

  /** @returns what was answered: `subscribed` or `error` */
  async subscribe() {
    const since = this.#chain.position;
    const answer = await this.#command({ type: 'subscribe', topic: TOPIC, ...(since !== undefined && { since }) });
    this.#count(answer.type === 'subscribed' ? 'subscribed' : 'not_subscribed');
    if (answer.type !== 'subscribed') return answer;
    if (since !== undefined) this.#count(answer.recovered ? 'recovered' : 'not_recovered');
    return answer;
  }

  publish(data, idempotencyKey) {
    return this.#command({ type: 'publish', topic: TOPIC, data, idempotencyKey });
  }

  /** From now on a close is expected. */
  end() {
    this.#ending = true;
  }

  /** Leaves, stays away, and comes back on a socket of its own. @returns the new socket */
  async comeBack(awayMs, wsArgs) {
    const WebSocket = this.#socket.constructor;
    this.end();
    this.#socket.close();
    await new Promise((resolve) => setTimeout(resolve, awayMs));
    const startedAtMs = Date.now();
    const socket = new WebSocket(wsArgs.target, wsArgs.subprotocols, wsArgs.options);
    await once(socket, 'open');
    this.#ending = false;
    this.#attach(socket);
    await this.subscribe();
    this.#measure('resume_ms', Date.now() - startedAtMs);
    return socket;
  }

  #attach(socket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#receive(BINARY ? decode(data) : JSON.parse(data)));
    socket.on('close', (code) => {
      if (socket === this.#socket && !this.#ending) this.#count(`lost.${code}`);
      if (socket === this.#socket && !this.#ending) this.#count('lost');
    });
  }

  #command(message) {
    const id = this.#nextId++;
    const command = { ...message, id };
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answered({ id, type: 'error', code: 'no_answer' }), ANSWER_TIMEOUT_MS);
      this.#waiting.set(id, { resolve, timer });
      this.#socket.send(BINARY ? encode(command) : JSON.stringify(command));
    });
  }

  #receive(message) {
    if (message.type === 'batch') return this.#batch(message);
    if (message.id !== undefined) this.#answered(message);
    else if (message.type === 'error') this.#count(`errors.${message.code}`);
  }

  #answered(message) {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if (message.type === 'error') this.#count(`errors.${message.code}`);
    // Now, not when the promise is heard: the next batch may be in the same chunk.
    if (message.type === 'subscribed') this.#take(() => this.#chain.subscribed(message));
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    waiting.resolve(message);
  }

  #batch(batch) {
    const items = this.#take(() => this.#chain.batch(batch));
    const nowMs = Date.now();
    for (const [, , data] of items) if (data?.sentAtMs !== undefined) this.#measure('latency_ms', nowMs - data.sentAtMs);
  }

  #take(follow) {
    const gapsBefore = this.#chain.gaps;
    const items = follow();
    this.#count('gaps', this.#chain.gaps - gapsBefore);
    this.#count('items', items.length);
    return items;
  }

  #count(name, by = 1) {
    this.#events.emit('counter', `stentor.${name}`, by);
  }

  #measure(name, value) {
    this.#events.emit('histogram', `stentor.${name}`, value);
  }
}
