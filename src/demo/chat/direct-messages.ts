import type { Client, Item } from '@stentor-broadcast/client';
import { userTopic } from '@stentor-broadcast/client/users';
import { chatEvents } from './events.ts';
import { type Message, toMessage } from './message.ts';

const HISTORY_ITEMS = 200;
const CONVERSATIONS_MAX = 50;
const MESSAGES_MAX = 200;

export interface Conversation {
  /** The other user. */
  readonly with: string;
  readonly messages: Message[];
  unread: number;
}

export interface DirectView {
  /** Conversations were read, or read again. */
  filled(): void;
  added(conversation: Conversation, message: Message): void;
  failed(error: Error): void;
}

/** Messages from user to user: each user has a topic that nobody else can read. */
export class DirectMessages {
  /** By the other user. */
  readonly conversations = new Map<string, Conversation>();
  readonly #client: Client;
  readonly #me: string;
  readonly #view: DirectView;
  #unsubscribe = () => {};

  /** @param client connected as `me` */
  constructor(client: Client, me: string, view: DirectView) {
    this.#client = client;
    this.#me = me;
    this.#view = view;
    void this.#start();
  }

  async #start(): Promise<void> {
    try {
      const { items, epoch, offset } = await this.#client.history(userTopic(this.#me), { last: HISTORY_ITEMS, timestamps: true });
      this.conversations.clear();
      for (const item of items) chatEvents.handle(item, { direct: ({ to, text }) => this.#add(item, to, text) });
      this.#view.filled();
      const own = this.#client.user({
        since: { epoch, offset },
        timestamps: true,
        onResync: () => this.#startAgain(),
        onError: (error) => this.#view.failed(error),
      });
      const handlers = {
        direct: ({ to, text }: { readonly to: string; readonly text: string }, item: Item) => {
          const [conversation, message] = this.#add(item, to, text);
          if (item.origin !== this.#me) conversation.unread++;
          this.#view.added(conversation, message);
        },
      };
      this.#unsubscribe = chatEvents.subscribe(own, handlers);
    } catch (error) {
      this.#view.failed(error as Error);
    }
  }

  #startAgain(): void {
    this.#unsubscribe();
    void this.#start();
  }

  #add(item: Item, to: string, text: string): [Conversation, Message] {
    // Only of one's own messages one believes whom they were for.
    const conversation = this.conversationWith(item.origin === this.#me ? to : (item.origin ?? 'a service'));
    const message = toMessage(item, text);
    conversation.messages.push(message);
    if (conversation.messages.length > MESSAGES_MAX) conversation.messages.shift();
    return [conversation, message];
  }

  /** The conversation, which begins now if there is none. The oldest one goes if there are too many. */
  conversationWith(user: string): Conversation {
    const known = this.conversations.get(user);
    if (known !== undefined) return known;
    const [oldest] = this.conversations.keys();
    if (oldest !== undefined && this.conversations.size >= CONVERSATIONS_MAX) this.conversations.delete(oldest);
    const conversation = { with: user, messages: [], unread: 0 };
    this.conversations.set(user, conversation);
    return conversation;
  }

  /** Publishes to the other user, and then to the own topic, so that all pages of this user show it, also after a reload. */
  async send(to: string, text: string): Promise<void> {
    const message = chatEvents.message('direct', { to, text });
    await this.#client.publish(userTopic(to), message);
    await this.#client.publish(userTopic(this.#me), message);
  }

  stop(): void {
    this.#unsubscribe();
  }
}
