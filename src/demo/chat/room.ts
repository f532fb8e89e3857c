import type { Client, History, Liveness, PresenceChange } from '@stentor-broadcast/client';
import { type TypingIndicator, typingIndicator } from '@stentor-broadcast/client/events';
import { presenceOptions } from '@stentor-broadcast/client/presence';
import { chatEvents } from './events.ts';
import { type Message, toMessage } from './message.ts';

const PAGE_ITEMS = 25;
/** Older messages are forgotten; "Earlier messages" brings them back. */
const MESSAGES_MAX = 500;
/** The server gives no more in one answer. */
const HISTORY_ITEMS_MAX = 10_000;

export interface RoomView {
  /** The messages were read, or read again. */
  filled(): void;
  added(message: Message): void;
  people(change: PresenceChange): void;
  typing(users: readonly string[]): void;
  live(liveness: Liveness): void;
  failed(error: Error): void;
}

/** One room: its messages, who is there, and who types. */
export class Room {
  readonly name: string;
  messages: Message[] = [];
  /** There are messages before the first one of {@link messages}. */
  hasEarlier = false;
  readonly #client: Client;
  readonly #view: RoomView;
  readonly #typing: TypingIndicator;
  #unsubscribe = () => {};
  #hasLeft = false;

  constructor(client: Client, name: string, view: RoomView) {
    this.#client = client;
    this.name = name;
    this.#view = view;
    this.#typing = typingIndicator(client, `typing.${name}`, (users) => view.typing(users));
    void this.#enter();
  }

  get #topic(): string {
    return `chat.${this.name}`;
  }

  /** Reads the last messages, and continues from there: nothing is missing in between, and nothing comes twice. */
  async #enter(): Promise<void> {
    try {
      const history = await this.#read(PAGE_ITEMS);
      if (this.#hasLeft) return;
      this.messages = messagesOf(history);
      this.hasEarlier = history.items.length === PAGE_ITEMS;
      this.#view.filled();
      const { epoch, offset } = history;
      const options = presenceOptions({
        since: { epoch, offset },
        timestamps: true,
        onPresence: (change) => this.#view.people(change),
        onLive: (liveness) => this.#view.live(liveness),
        onError: (error) => this.#view.failed(error),
        // The log was lost, or this page was away for longer than the log keeps.
        onResync: () => this.#enterAgain(),
      });
      const topic = this.#client.topic(this.#topic, options);
      this.#unsubscribe = chatEvents.subscribe(topic, { message: ({ text }, item) => this.#add(toMessage(item, text)) });
    } catch (error) {
      if (!this.#hasLeft) this.#view.failed(error as Error);
    }
  }

  #enterAgain(): void {
    this.#unsubscribe();
    void this.#enter();
  }

  #read(last: number): Promise<History> {
    return this.#client.history(this.#topic, { last, timestamps: true });
  }

  #add(message: Message): void {
    this.messages.push(message);
    if (this.messages.length > MESSAGES_MAX) {
      this.messages.shift();
      this.hasEarlier = true;
    }
    if (message.author !== undefined) this.#typing.remove(message.author);
    this.#view.added(message);
  }

  /** Reads messages before the first one. A log is read from its end, so this asks for all that is shown, and some more. */
  async readEarlier(): Promise<void> {
    const last = Math.min(this.messages.length + PAGE_ITEMS, HISTORY_ITEMS_MAX);
    const history = await this.#read(last);
    const first = this.messages[0]?.offset ?? Number.POSITIVE_INFINITY;
    this.messages.unshift(...messagesOf(history).filter(({ offset }) => offset < first));
    this.hasEarlier = history.items.length === last && last < HISTORY_ITEMS_MAX;
  }

  /** The promise rejects with the server's reason, which is shown to the user. */
  async send(text: string): Promise<void> {
    await chatEvents.publish(this.#client.topic(this.#topic), 'message', { text });
  }

  /** Call it with each key. */
  pressed(): void {
    this.#typing.press();
  }

  leave(): void {
    this.#hasLeft = true;
    this.#typing.stop();
    this.#unsubscribe();
  }
}

function messagesOf({ items }: History): Message[] {
  const messages: Message[] = [];
  for (const item of items) chatEvents.handle(item, { message: ({ text }) => messages.push(toMessage(item, text)) });
  return messages;
}
