import { WebSocket } from 'k6/websockets';
import { decode, encode } from './msgpack.js';
import { ENCODING, URL } from './settings.js';

const BINARY = ENCODING === 'msgpack';
/** Below tuning.commands.publishesPerConnectionMax, 64 by default. */
const PUBLISHES_MAX = 50;

/** One connection to Stentor, in either encoding. Answers and batches go to the handlers; commands that wait are matched by their id. */
export class Connection {
  #socket;
  #nextId = 1;
  #waiting = new Map();
  #handlers;
  #ending = false;

  /**
   * @param {string | undefined} token
   * @param {{ onOpen?(): void, onBatch?(batch: object): void, onResync?(resync: object): void, onError?(error: object): void, onClose?(code: number, expected: boolean): void }} handlers
   */
  constructor(token, handlers) {
    this.#handlers = handlers;
    const protocols = [`stentor.v1.${ENCODING}`];
    const params = token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } };
    this.#socket = new WebSocket(URL, protocols, params);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => handlers.onOpen?.();
    this.#socket.onmessage = ({ data }) => {
      const message = BINARY ? decode(data) : JSON.parse(data);
      for (const one of Array.isArray(message) ? message : [message]) this.#receive(one);
    };
    this.#socket.onerror = ({ error }) => handlers.onError?.({ code: 'socket', message: String(error) });
    this.#socket.onclose = ({ code }) => handlers.onClose?.(code, this.#ending);
  }

  subscribe(topic, since, onAnswer) {
    this.#command({ type: 'subscribe', topic, ...(since !== undefined && { since }) }, onAnswer);
  }

  /** All in one message. @param {string[]} topics @param {(topic: string, answer: object) => void} onAnswer called for each */
  subscribeAll(topics, onAnswer) {
    const places = topics.map((topic) => [this.#await((answer) => onAnswer(topic, answer)), topic]);
    this.#send({ type: 'subscribeMany', topics: places });
  }

  /** As many in one message as may wait for the log. @param {{ topic: string, data: unknown, idempotencyKey: string }[]} publications @param {() => void} onAllAnswered */
  publishAll(publications, onAllAnswered) {
    if (publications.length === 0) return onAllAnswered();
    const rest = publications.splice(PUBLISHES_MAX);
    let left = publications.length;
    const onAnswer = () => {
      if (--left === 0) this.publishAll(rest, onAllAnswered);
    };
    this.#commands(publications.map((publication) => [{ type: 'publish', ...publication }, onAnswer]));
  }

  publish(topic, data, idempotencyKey, onAnswer) {
    this.#command({ type: 'publish', topic, data, idempotencyKey }, onAnswer);
  }

  close() {
    this.#ending = true;
    this.#socket.close();
  }

  #command(message, onAnswer) {
    this.#send(this.#numbered(message, onAnswer));
  }

  #commands(commands) {
    this.#send(commands.map(([message, onAnswer]) => this.#numbered(message, onAnswer)));
  }

  #numbered(message, onAnswer) {
    return { ...message, id: this.#await(onAnswer) };
  }

  /** @returns an id for the command */
  #await(onAnswer) {
    const id = this.#nextId++;
    this.#waiting.set(id, onAnswer);
    return id;
  }

  #send(message) {
    this.#socket.send(BINARY ? encode(message).buffer : JSON.stringify(message));
  }

  #receive(message) {
    if (message.type === 'batch') return this.#handlers.onBatch?.(message);
    if (message.type === 'resync') return this.#handlers.onResync?.(message);
    if (message.type === 'error') this.#handlers.onError?.(message);
    if (message.id === undefined) return;
    const onAnswer = this.#waiting.get(message.id);
    if (onAnswer === undefined) return this.#handlers.onError?.({ code: 'unasked', message: `a ${message.type} without a request` });
    this.#waiting.delete(message.id);
    onAnswer(message);
  }
}
