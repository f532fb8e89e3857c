import { formatNumber } from '../../telemetry/format.ts';
import type { HistoryAnswer } from '../api/schemas/history.ts';
import type { PresenceAnswer } from '../api/schemas/presence.ts';
import { type Api, Refused, reasonOf } from './api.ts';
import { byId, fillPairs, fillTable, setText } from './dom.ts';

const ITEMS_SHOWN = 10;
const MEMBERS_SHOWN = 20;
const DATA_CHARACTERS_MAX = 300;
const EVERY_MS = 2000;

/** One topic: members, rate, who is subscribed, and what it had last. */
export class TopicDetail {
  readonly #api: Api;
  #topic = '';

  constructor(api: Api) {
    this.#api = api;
    byId('topic-close').addEventListener('click', () => this.#close());
    setInterval(() => void this.#refresh(), EVERY_MS);
  }

  async show(topic: string): Promise<void> {
    this.#topic = topic;
    const card = byId<HTMLDetailsElement>('topic');
    setText(byId('topic-title'), topic);
    for (const id of ['topic-items', 'topic-members']) byId(id).replaceChildren();
    card.hidden = false;
    card.open = true;
    card.scrollIntoView({ block: 'nearest' });
    byId('topic-title').focus();
    await this.#refresh();
  }

  #close(): void {
    this.#topic = '';
    byId('topic').hidden = true;
  }

  async #refresh(): Promise<void> {
    const topic = this.#topic;
    if (topic === '' || document.hidden) return;
    try {
      const [{ topics }, presence, history] = await Promise.all([
        this.#api.topics({ sort: 'name', prefix: topic, limit: 1 }),
        unlessUnsupported(this.#api.presence(topic)),
        unlessUnsupported(this.#api.history(topic, ITEMS_SHOWN)),
      ]);
      if (topic !== this.#topic) return;
      const open = topics.find((one) => one.topic === topic);
      fillPairs(byId('topic-figures'), [
        ['members', formatNumber(open?.members ?? 0)],
        ['lagging', formatNumber(open?.lagging ?? 0)],
        ['publications/s', formatNumber(open?.publicationsPerSecond ?? 0)],
        ['deliveries/s', formatNumber((open?.publicationsPerSecond ?? 0) * ((open?.members ?? 0) - (open?.lagging ?? 0)))],
      ]);
      showMembers(presence);
      showItems(history);
      setText(byId('topic-problem'), '');
    } catch (error) {
      setText(byId('topic-problem'), reasonOf(error));
    }
  }
}

function showMembers(presence: PresenceAnswer | undefined): void {
  const members = (presence?.members ?? []).slice(0, MEMBERS_SHOWN);
  const rows = members.map(({ user, connectionId, info }) => [
    { text: user ?? `anonymous, ${connectionId ?? ''}`, className: 'name' },
    { text: info === undefined ? '' : shortened(JSON.stringify(info)), className: 'data' },
  ]);
  byId('topic-members-part').hidden = rows.length === 0;
  fillTable(byId('topic-members'), rows, '');
  const all = presence?.members?.length ?? 0;
  const note =
    presence === undefined
      ? 'Who is subscribed is not known: the namespace option presence is off.'
      : presence.members === undefined
        ? `${formatNumber(presence.count)} connections are subscribed. Their users are not named.`
        : all > members.length
          ? `${members.length} of ${formatNumber(all)} members are shown.`
          : '';
  setText(byId('topic-presence'), note);
}

function showItems(history: HistoryAnswer | undefined): void {
  const rows = (history?.items ?? [])
    .toReversed()
    .map(({ offset, key, data, publishedAtMs, user, removed }) => [
      { text: String(offset), className: 'number' },
      { text: new Date(publishedAtMs).toLocaleTimeString() },
      { text: key ?? '', className: 'name' },
      { text: removed ? '(removed)' : shortened(JSON.stringify(data)), className: 'data' },
      { text: user ?? '' },
    ]);
  fillTable(
    byId('topic-items'),
    rows,
    history === undefined ? 'An ephemeral topic keeps nothing.' : 'Nothing was published to it, or nothing is left.',
  );
}

/** Undefined: the namespace does not offer it. */
async function unlessUnsupported<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refused && error.code === 'unsupported') return undefined;
    throw error;
  }
}

function shortened(text: string): string {
  return text.length > DATA_CHARACTERS_MAX ? `${text.slice(0, DATA_CHARACTERS_MAX)}…` : text;
}
