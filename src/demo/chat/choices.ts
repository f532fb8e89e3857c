/** One line of a list to choose from. */
export interface Choice {
  readonly id: string;
  readonly text: string;
  /** After the text, less visible. */
  readonly note?: string;
  /** Unread messages. */
  readonly count?: number;
  readonly isCurrent?: boolean;
  /** What a click does; undefined: the line is only text. */
  readonly choose?: (() => void) | undefined;
}

/** Fills a list with buttons. Existing lines are reused, so that the keyboard's focus stays. */
export function showChoices(list: HTMLElement, choices: readonly Choice[]): void {
  const lines = new Map([...list.children].map((line) => [(line as HTMLElement).dataset.id, line as HTMLElement]));
  const wanted = choices.map((choice) => {
    const line = lines.get(choice.id) ?? document.createElement('li');
    line.dataset.id = choice.id;
    fill(line, choice);
    return line;
  });
  for (const line of [...list.children]) if (!wanted.includes(line as HTMLElement)) line.remove();
  for (const [at, line] of wanted.entries()) if (list.children[at] !== line) list.insertBefore(line, list.children[at] ?? null);
}

function fill(line: HTMLElement, { text, note, count = 0, isCurrent = false, choose }: Choice): void {
  const tag = choose === undefined ? 'span' : 'button';
  let inner = line.firstElementChild as HTMLElement | null;
  if (inner?.localName !== tag) {
    inner = document.createElement(tag);
    line.replaceChildren(inner);
  }
  if (inner instanceof HTMLButtonElement) {
    inner.type = 'button';
    inner.onclick = choose ?? null;
    if (isCurrent) inner.setAttribute('aria-current', 'true');
    else inner.removeAttribute('aria-current');
  }
  const parts: Node[] = [document.createTextNode(text)];
  if (note !== undefined) parts.push(element('small', note));
  if (count > 0) {
    const badge = element('span', String(count));
    badge.className = 'badge';
    badge.setAttribute('aria-label', `${count} unread`);
    parts.push(badge);
  }
  inner.replaceChildren(...parts);
}

function element(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
