import { byId, setText } from './dom.ts';

/** Below this width cards are closed at first. */
const WIDE = '(min-width: 48rem)';

/** Opens cards where there is room; on a phone each shows its heading and its most important figure until it is opened. */
export function openFolds(): void {
  const isWide = matchMedia(WIDE).matches;
  for (const card of document.querySelectorAll<HTMLDetailsElement>('details.fold')) card.open = isWide;
}

/** The figure beside the heading of a card. */
export function showBrief(id: string, text: string, tone: 'quiet' | 'warn' | 'bad' = 'quiet'): void {
  const brief = byId(id);
  brief.dataset.tone = tone;
  setText(brief, text);
}
