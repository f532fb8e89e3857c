import { once } from 'node:events';
import { Chain } from '../k6/lib/chain.js';
import { decode, encode } from '../k6/lib/msgpack.js';
import { Receipts } from '../k6/lib/receipts.js';
import { ENCODING, TOPIC } from './settings.mjs';

const BINARY = ENCODING === 'msgpack';
const ANSWER_TIMEOUT_MS = 10_000;

/** One virtual user's connection: speaks the protocol over the socket that artillery's `ws` engine has opened, and measures what arrives. */
export class Client {
  #events;
  #socket;
  /** By topic. */
  #followed;
  /** Called when something has come that they may wait for. */
  #watchers = new Set();
  #waiting = new Map();
  #nextId = 1;
  #ending = false;

  /** @param socket artillery's, of the `ws` package @param events artillery's: `counter`, `histogram` @param topics that it follows */
  constructor(socket, events, topics = [TOPIC]) {
    this.#events = events;
    this.#followed = new Map(topics.map((topic) => [topic, { chain: new Chain(), receipts: new Receipts() }]));
    this.#attach(socket);
  }

  /** To all its topics, in one message. A client counts once: when all are subscribed, or one is not. */
  async subscribe() {
    const places = [...this.#followed].map(([topic, { chain }]) => [topic, chain.position]);
    const resumes = places[0][1] !== undefined;
    const answers = await this.#subscribe(places);
    const subscribed = answers.every(({ type }) => type === 'subscribed');
    this.#count(subscribed ? 'subscribed' : 'not_subscribed');
    if (subscribed && resumes) this.#count(answers.every(({ recovered }) => recovered) ? 'recovered' : 'not_recovered');
  }

  async publish(data, idempotencyKey, topic = TOPIC) {
    const id = this.#nextId++;
    const answer = this.#answerTo(id);
    this.#send({ type: 'publish', id, topic, data, idempotencyKey });
    return answer;
  }

  /** From now on a close is expected. */
  end() {
    this.#ending = true;
  }

  /** Waits until everything has come that the publishers' acks say that there is, and counts whether it has. */
  async complete(timeoutMs) {
    const complete = await this.#until(() => this.#all(({ receipts }) => receipts.isComplete(1)), timeoutMs);
    this.#count(complete ? 'complete' : 'incomplete');
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
    await this.#until(() => this.#all(({ chain }) => chain.isCaughtUp), ANSWER_TIMEOUT_MS);
    this.#measure('resume_ms', Date.now() - startedAtMs);
    return socket;
  }

  #attach(socket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const message = BINARY ? decode(data) : JSON.parse(data);
      for (const one of Array.isArray(message) ? message : [message]) this.#receive(one);
      for (const watch of this.#watchers) watch();
    });
    socket.on('close', (code) => {
      if (socket !== this.#socket || this.#ending) return;
      this.#count(`lost.${code}`);
      this.#count('lost');
    });
  }

  #all(holds) {
    return [...this.#followed.values()].every(holds);
  }

  /** In one message: a command for each epoch. @param places topics, each with its position if it has one @returns their answers */
  #subscribe(places) {
    const topicsOf = new Map(places.map(([, position]) => [position?.epoch, []]));
    const answers = places.map(([topic, position]) => {
      const id = this.#nextId++;
      topicsOf.get(position?.epoch).push(position === undefined ? [id, topic] : [id, topic, position.offset]);
      return this.#answerTo(id);
    });
    this.#send([...topicsOf].map(([epoch, topics]) => ({ type: 'subscribeMany', topics, ...(epoch !== undefined && { epoch }) })));
    return Promise.all(answers);
  }

  #send(message) {
    this.#socket.send(BINARY ? encode(message) : JSON.stringify(message));
  }

  #answerTo(id) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answered({ id, type: 'error', code: 'no_answer' }), ANSWER_TIMEOUT_MS);
      this.#waiting.set(id, { resolve, timer });
    });
  }

  #receive(message) {
    if (message.type === 'batch') this.#follow(message.topic, (chain) => chain.batch(message));
    else if (message.type === 'resync') this.#follow(message.topic, (chain) => ({ items: chain.resync(message), live: false }));
    else if (message.id !== undefined) this.#answered(message);
    else if (message.type === 'error') this.#failed(message.code);
  }

  #answered(message) {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return this.#failed('unasked');
    if (message.type === 'error') this.#failed(message.code);
    // Now, not when the promise is heard: the next batch may be in the same chunk.
    if (message.type === 'subscribed') this.#follow(message.topic, (chain) => ({ items: chain.subscribed(message), live: false }));
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    waiting.resolve(message);
  }

  #follow(topic, step) {
    const followed = this.#followed.get(topic);
    if (followed === undefined) return this.#failed('unasked');
    const { chain, receipts } = followed;
    const { gaps, overlaps } = chain;
    const { items, live } = step(chain);
    this.#count('gaps', chain.gaps - gaps);
    this.#count('overlaps', chain.overlaps - overlaps);
    this.#count('items', items.length);
    const nowMs = Date.now();
    for (const [, , data] of items) {
      receipts.take(data);
      if (live && data?.sentAtMs !== undefined) this.#measure('latency_ms', nowMs - data.sentAtMs);
    }
  }

  /** @returns false when it does not hold in time */
  #until(holds, timeoutMs) {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (held) => {
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve(held);
      };
      const watch = () => holds() && end(true);
      const timer = setTimeout(() => end(false), timeoutMs);
      this.#watchers.add(watch);
    });
  }

  #failed(code) {
    this.#count(`errors.${code}`);
    this.#count('errors');
  }

  #count(name, by = 1) {
    this.#events.emit('counter', `stentor.${name}`, by);
  }

  #measure(name, value) {
    this.#events.emit('histogram', `stentor.${name}`, value);
  }
}
