import type { Client, Stale } from '../../client/index.ts';
import { byId, setText } from '../../http/page/dom.ts';
import type { MatchEvent } from '../match.ts';
import { SCORES_TOPIC } from '../topics.ts';

const EVENTS_SHOWN = 8;

/** Shows the match: its score and its latest events. */
export function showScores(client: Client): void {
  client.topic<Partial<MatchEvent>>(SCORES_TOPIC, { snapshot: true, onStale: showStale }).subscribe(({ data }) => showEvent(data));
}

/** Only where the operator has set `staleAfterMs`. */
function showStale(stale: Stale | undefined): void {
  const why = stale?.reason === 'broker_lost' ? 'the server has lost its broker' : 'the feed is silent';
  setText(byId('stale'), stale === undefined ? '' : `Stale: ${why} since ${new Date(stale.sinceMs).toLocaleTimeString()}`);
}

/** Anybody who may publish to the topic may have sent something else, so no field can be relied on. */
function showEvent({ score, home, away, minute, type, text }: Partial<MatchEvent>): void {
  if (score !== undefined) setText(byId('score'), `${home} ${score[0]}–${score[1]} ${away}, ${minute}′`);
  const events = byId('events');
  const line = document.createElement('li');
  const time = document.createElement('span');
  time.textContent = minute === undefined ? '' : `${minute}′`;
  line.append(time, String(text ?? ''));
  if (type !== undefined) line.dataset.type = type;
  events.prepend(line);
  while (events.children.length > EVENTS_SHOWN) events.lastElementChild?.remove();
  // A screen reader that reads every event would be too much.
  if (type === 'goal') setText(byId('goal'), String(text ?? ''));
}
