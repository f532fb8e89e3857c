import { byId, setText } from './dom.ts';
import type { Problem } from './problems.ts';

const SHOWN = 12;

/** Lists what needs attention, each with a link to what to do. */
export function showProblems(problems: readonly Problem[]): void {
  const list = byId('problems');
  const shown = problems.slice(0, SHOWN);
  while (list.children.length > shown.length) list.lastElementChild?.remove();
  for (const [at, { tone, text, help }] of shown.entries()) {
    const item = (list.children[at] as HTMLElement | undefined) ?? makeItem(list);
    item.dataset.tone = tone;
    const [words, link] = item.children as unknown as [Element, HTMLAnchorElement];
    setText(words, text);
    const href = `help.html#${help}`;
    if (link.getAttribute('href') !== href) link.setAttribute('href', href);
  }
  byId('problems-none').hidden = problems.length > 0;
  const more = problems.length - shown.length;
  byId('problems-more').hidden = more <= 0;
  setText(byId('problems-more'), `and ${more} more, in the cards below`);
}

function makeItem(list: HTMLElement): HTMLElement {
  const item = list.appendChild(document.createElement('li'));
  const words = document.createElement('span');
  const link = document.createElement('a');
  link.textContent = 'what to do';
  link.target = '_blank';
  link.rel = 'noopener';
  item.append(words, link);
  return item;
}
