/** Returns the element with this id. @throws Error if there is none: the page and its script are from different builds */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element as T;
}

/** Turns the direction of what is written around it. */
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Writes only changes, because a screen reader reads a status again after every write. Names and data are what clients chose: none may make a question look
 * like another one.
 */
export function setText(element: Element, text: string): void {
  const shown = text.replace(DIRECTION, '\ufffd');
  if (element.textContent !== shown) element.textContent = shown;
}

/** Shows how something went. */
export function outcome(id: string, tone: 'quiet' | 'good' | 'warn' | 'bad', text: string): void {
  const output = byId(id);
  output.dataset.tone = tone;
  setText(output, text);
}

export interface Cell {
  readonly text: string;
  readonly className?: string;
  /** The cell is a button, which does this to the value: see {@link onAction}. */
  readonly action?: string;
  readonly value?: string;
  /** The cell is a link. */
  readonly href?: string;
}

/** Calls back for the buttons in tables within this element. */
export function onAction(parent: HTMLElement, listener: (action: string, value: string) => unknown): void {
  parent.addEventListener('click', (event) => {
    const button = (event.target as Element).closest<HTMLElement>('button[data-action]');
    if (button !== null) listener(button.dataset.action ?? '', button.dataset.value ?? '');
  });
}

/** Sets the rows of the table's body. Existing rows and cells are reused, so that selection and scroll position stay. */
export function fillTable(body: HTMLElement, rows: readonly (readonly Cell[])[], empty: string): void {
  const table = body as HTMLTableSectionElement;
  const heads = table.closest('table')?.tHead?.rows[0]?.cells ?? [];
  const shown: readonly (readonly Cell[])[] = rows.length === 0 ? [[{ text: empty, className: 'empty' }]] : rows;
  while (table.rows.length > shown.length) table.deleteRow(-1);
  for (const [at, cells] of shown.entries()) {
    const row = table.rows[at] ?? table.insertRow();
    while (row.cells.length > cells.length) row.deleteCell(-1);
    for (const [column, content] of cells.entries()) {
      const cell = row.cells[column] ?? row.insertCell();
      const { className = '' } = content;
      if (cell.className !== className) cell.className = className;
      cell.colSpan = rows.length === 0 ? heads.length : 1;
      // On a narrow page a row is a block, and each cell shows its own label.
      cell.dataset.label = rows.length === 0 ? '' : (heads[column]?.textContent ?? '');
      fillCell(cell, content);
    }
  }
}

function fillCell(cell: HTMLElement, { text, action, value = '', href }: Cell): void {
  const tag = action !== undefined ? 'button' : href !== undefined ? 'a' : undefined;
  if (tag === undefined) return setText(cell, text);
  let inner = cell.firstElementChild as HTMLElement | null;
  if (inner?.localName !== tag) {
    inner = document.createElement(tag);
    cell.replaceChildren(inner);
  }
  setText(inner, text);
  if (inner instanceof HTMLAnchorElement) inner.href = href ?? '';
  else if (inner instanceof HTMLButtonElement) {
    inner.type = 'button';
    inner.dataset.action = action;
    inner.dataset.value = value;
  }
}

/** Sets the pairs of a definition list. */
export function fillPairs(list: HTMLElement, pairs: readonly (readonly [name: string, value: string])[]): void {
  for (const [at, [name, value]] of pairs.entries()) {
    let pair = list.children[at];
    if (pair === undefined) {
      pair = list.appendChild(document.createElement('div'));
      pair.append(document.createElement('dt'), document.createElement('dd'));
    }
    const [term, description] = pair.children as unknown as [Element, Element];
    setText(term, name);
    setText(description, value);
  }
}
