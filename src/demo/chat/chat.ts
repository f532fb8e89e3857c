import type { Client, Liveness, PresenceChange } from '@stentor-broadcast/client';
import { byId, setText } from '../../http/page/dom.ts';
import { showChoices } from './choices.ts';
import { type Conversation, DirectMessages } from './direct-messages.ts';
import { type Message, nameOf } from './message.ts';
import { MessageList } from './message-list.ts';
import { Room } from './room.ts';

const ROOMS = ['lobby', 'football', 'music', 'demo'];
/** One token of a topic. */
const ROOM = /^[A-Za-z0-9_-]{1,32}$/;
/** Of a list of people; the others are counted. */
const PEOPLE_SHOWN_MAX = 100;
const TYPING_SHOWN_MAX = 3;

/** The page of somebody who has joined: a room, its people, and conversations with single users. One of them is shown. */
export class Chat {
  readonly #client: Client;
  readonly #me: string;
  readonly #list: MessageList;
  readonly #directs: DirectMessages;
  #room: Room;
  /** The user whose conversation is shown; undefined: the room. */
  #with: string | undefined;

  /** @param client connected as `me` */
  constructor(client: Client, me: string) {
    this.#client = client;
    this.#me = me;
    this.#list = new MessageList(me);
    this.#room = this.#open(roomOfAddress());
    this.#directs = new DirectMessages(client, me, {
      filled: () => this.#showChosen(),
      added: (conversation, message) => this.#directArrived(conversation, message),
      failed: (error) => this.#failed(error),
    });
    byId('earlier').onclick = () => void this.#showEarlier();
    byId('compose').onsubmit = (event) => {
      event.preventDefault();
      void this.#send();
    };
    byId('text').oninput = () => {
      if (this.#with === undefined) this.#room.pressed();
    };
    window.addEventListener('hashchange', this.#addressChanged);
    this.#showChosen();
  }

  stop(): void {
    window.removeEventListener('hashchange', this.#addressChanged);
    this.#room.leave();
    this.#directs.stop();
  }

  readonly #addressChanged = () => this.#enter(roomOfAddress());

  #open(name: string): Room {
    showChoices(byId('people'), []);
    setText(byId('typing'), '');
    return new Room(this.#client, name, {
      filled: () => this.#showChosen(),
      added: (message) => {
        if (this.#with === undefined) this.#list.add(message);
      },
      people: (change) => this.#showPeople(change),
      typing: (users) => this.#showTyping(users),
      live: (liveness) => this.#showLiveness(liveness),
      failed: (error) => this.#failed(error),
    });
  }

  /** The room is part of the address, so that it can be linked, and is the same after a reload. */
  #chooseRoom(name: string): void {
    if (name === this.#room.name) this.#enter(name);
    else location.hash = name;
  }

  #enter(name: string): void {
    this.#with = undefined;
    if (name !== this.#room.name) {
      this.#room.leave();
      this.#room = this.#open(name);
    }
    this.#chosen();
  }

  #chooseUser(user: string): void {
    this.#with = user;
    this.#directs.conversationWith(user).unread = 0;
    this.#chosen();
  }

  #chosen(): void {
    this.#failed(undefined);
    this.#showChosen();
    byId('text').focus();
  }

  #showChosen(): void {
    const conversation = this.#with === undefined ? undefined : this.#directs.conversationWith(this.#with);
    setText(byId('talk-title'), conversation === undefined ? `# ${this.#room.name}` : `${nameOf(conversation.with)} and you`);
    byId('talk').dataset.kind = conversation === undefined ? 'room' : 'direct';
    byId('earlier').hidden = conversation !== undefined || !this.#room.hasEarlier;
    this.#list.show((conversation ?? this.#room).messages);
    this.#showMenu();
  }

  #showMenu(): void {
    const rooms = [...new Set([...ROOMS, this.#room.name])].map((name) => ({
      id: name,
      text: `# ${name}`,
      isCurrent: this.#with === undefined && name === this.#room.name,
      choose: () => this.#chooseRoom(name),
    }));
    showChoices(byId('rooms'), rooms);
    const conversations = [...this.#directs.conversations.values()].map(({ with: user, unread }) => ({
      id: user,
      text: nameOf(user),
      count: unread,
      isCurrent: user === this.#with,
      choose: () => this.#chooseUser(user),
    }));
    showChoices(byId('directs'), conversations);
    byId('no-directs').hidden = conversations.length > 0;
  }

  #showPeople({ members = [], count, joined, left }: PresenceChange): void {
    const users = members
      .flatMap(({ user }) => user ?? [])
      .sort((a, b) => Number(b === this.#me) - Number(a === this.#me) || a.localeCompare(b));
    const shown = users.slice(0, PEOPLE_SHOWN_MAX).map((user) => ({
      id: user,
      text: nameOf(user),
      note: user === this.#me ? 'you' : user.slice(nameOf(user).length + 1),
      choose: user === this.#me ? undefined : () => this.#chooseUser(user),
    }));
    showChoices(byId('people'), shown);
    setText(byId('people-count'), String(members.length > 0 ? users.length : count));
    if (this.#with !== undefined) return;
    for (const { user } of joined) if (user !== this.#me) this.#list.note(`${nameOf(user)} has joined`);
    for (const { user } of left) if (user !== this.#me) this.#list.note(`${nameOf(user)} has left`);
  }

  #showTyping(users: readonly string[]): void {
    // The same user may have another tab.
    const names = users.filter((user) => user !== this.#me).map(nameOf);
    const text =
      names.length > TYPING_SHOWN_MAX ? 'several people are typing' : `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} typing`;
    setText(byId('typing'), names.length === 0 ? '' : `${text} …`);
  }

  #showLiveness({ live, reason }: Liveness): void {
    setText(byId('liveness'), live ? '' : `No new messages arrive at the moment${reason === undefined ? '' : `: ${reason}`}.`);
  }

  #directArrived(conversation: Conversation, message: Message): void {
    if (conversation.with === this.#with) {
      conversation.unread = 0;
      this.#list.add(message);
    }
    this.#showMenu();
  }

  async #showEarlier(): Promise<void> {
    const room = this.#room;
    await room.readEarlier().catch((error: Error) => this.#failed(error));
    if (room !== this.#room || this.#with !== undefined) return;
    byId('earlier').hidden = !room.hasEarlier;
    this.#list.showMore(room.messages);
  }

  async #send(): Promise<void> {
    const field = byId<HTMLInputElement>('text');
    const text = field.value.trim();
    if (text === '') return;
    field.value = '';
    try {
      await (this.#with === undefined ? this.#room.send(text) : this.#directs.send(this.#with, text));
      this.#failed(undefined);
    } catch (error) {
      // Nothing that the user has written is lost.
      if (field.value === '') field.value = text;
      this.#failed(error as Error);
    }
  }

  #failed(error: Error | undefined): void {
    setText(byId('failure'), error === undefined ? '' : error.message);
  }
}

/** `/chat#football`. Any name will do: a room exists while somebody is in it, or its log has messages. */
function roomOfAddress(): string {
  const name = location.hash.slice(1);
  return ROOM.test(name) ? name : (ROOMS[0] as string);
}
