import { WebSocket } from 'k6/websockets';
import { decode, encode } from './msgpack.js';
import { ENCODING, URL } from './settings.js';

const BINARY = ENCODING === 'msgpack';

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
    this.#socket.onmessage = ({ data }) => this.#receive(BINARY ? decode(data) : JSON.parse(data));
    this.#socket.onerror = ({ error }) => handlers.onError?.({ code: 'socket', message: String(error) });
    this.#socket.onclose = ({ code }) => handlers.onClose?.(code, this.#ending);
  }

  subscribe(topic, since, onAnswer) {
    this.#command({ type: 'subscribe', topic, ...(since !== undefined && { since }) }, onAnswer);
  }

  publish(topic, data, idempotencyKey, onAnswer) {
    this.#command({ type: 'publish', topic, data, idempotencyKey }, onAnswer);
  }

  close() {
    this.#ending = true;
    this.#socket.close();
  }

  #command(message, onAnswer) {
    const id = this.#nextId++;
    this.#waiting.set(id, onAnswer);
    const command = { ...message, id };
    this.#socket.send(BINARY ? encode(command).buffer : JSON.stringify(command));
  }

  #receive(message) {
    if (message.type === 'batch') return this.#handlers.onBatch?.(message);
    if (message.type === 'resync') return this.#handlers.onResync?.(message);
    if (message.type === 'error') this.#handlers.onError?.(message);
    if (message.id === undefined) return;
    const onAnswer = this.#waiting.get(message.id);
    if (onAnswer === undefined) return this.#handlers.onError?.({ code: 'unasked', message: `a ${message.type} that nobody waits for` });
    this.#waiting.delete(message.id);
    onAnswer(message);
  }
}
