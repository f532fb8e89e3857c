import { byId } from '../../http/page/dom.ts';
import { type Message, nameOf } from './message.ts';

/** The page stays where it is unless the user is at the end, or almost. */
const AT_END_PX = 60;
const LINES_MAX = 600;

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** Shows messages, oldest first. Texts of users are only ever written with `textContent`: so no text can become HTML. */
export class MessageList {
  readonly #scroller = byId('scroller');
  readonly #list = byId('messages');
  readonly #me: string;

  constructor(me: string) {
    this.#me = me;
  }

  /** Other messages, from the end. */
  show(messages: readonly Message[]): void {
    this.#fill(messages);
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** The same messages and some before them: what the user sees stays in its place. */
  showMore(messages: readonly Message[]): void {
    const fromEnd = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    this.#fill(messages);
    this.#scroller.scrollTop = this.#scroller.scrollHeight - fromEnd;
  }

  add(message: Message): void {
    this.#append(this.#lineOf(message));
  }

  /** Something that happened: somebody has joined. */
  note(text: string): void {
    const line = document.createElement('li');
    line.className = 'happened';
    line.textContent = text;
    this.#append(line);
  }

  #append(line: HTMLElement): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const atEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    this.#list.append(line);
    if (this.#list.children.length > LINES_MAX) this.#list.firstElementChild?.remove();
    if (atEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** A screen reader reads what is added to the list, but not when all of it changes. */
  #fill(messages: readonly Message[]): void {
    this.#list.setAttribute('aria-busy', 'true');
    this.#list.replaceChildren(...messages.map((message) => this.#lineOf(message)));
    this.#list.setAttribute('aria-busy', 'false');
  }

  #lineOf({ author, text, atMs }: Message): HTMLElement {
    const line = document.createElement('li');
    if (author === this.#me) line.className = 'own';
    const [head, name, at, body] = ['p', 'b', 'time', 'p'].map((tag) => document.createElement(tag)) as [
      HTMLElement,
      HTMLElement,
      HTMLTimeElement,
      HTMLElement,
    ];
    head.className = 'head';
    name.textContent = nameOf(author);
    name.title = author ?? '';
    at.textContent = time.format(atMs);
    at.dateTime = new Date(atMs).toISOString();
    head.append(name, at);
    body.className = 'text';
    body.textContent = text;
    line.append(head, body);
    return line;
  }
}
