import type { Client, Item } from '../../client/index.ts';
import { byId, fillPairs, setText } from '../../http/page/dom.ts';
import { formatDuration, formatNumber } from '../../telemetry/format.ts';
import type { NumberedEvent } from '../numbers.ts';
import { NUMBERS_TOPIC } from '../topics.ts';
import type { Connection } from './connection.ts';
import { NumberCheck } from './number-check.ts';
import { Seconds } from './seconds.ts';

const CUT_MS = 3000;
const SECONDS_SHOWN = 60;
const SHOW_EVERY_MS = 200;

type Numbered = NumberedEvent & { readonly atMs: number };

/** Shows the counting feed, the effect of cutting the connection, and what the recovery delivers. */
export function showRecovery(connection: Connection): void {
  const check = new NumberCheck();
  const seconds = new Seconds(SECONDS_SHOWN);
  const tally = { recovered: 0, resyncs: 0 };
  const cut = new CutReport(connection.client);
  const onItem = ({ data, source }: Item<Numbered>) => {
    check.receive(data);
    if (source === 'recovered') {
      tally.recovered++;
      cut.recovered();
    }
    seconds.add(data.atMs, source === 'recovered' ? 'recovered' : 'live');
  };
  const onResync = () => {
    tally.resyncs++;
    check.startOver();
  };
  connection.client.topic<Numbered>(NUMBERS_TOPIC, { onResync, onSubscribed: () => cut.subscribed(check) }).subscribe(onItem);
  byId('cut').addEventListener('click', () => {
    cut.begin(check);
    connection.cut(CUT_MS);
  });
  const strip = makeStrip();
  const show = () => {
    const { client } = connection;
    fillPairs(byId('recovery-figures'), [
      ['received', formatNumber(check.received)],
      ['recovered', formatNumber(tally.recovered)],
      ['missing', formatNumber(check.missing)],
      ['twice', formatNumber(check.repeated)],
    ]);
    byId('recovery-figures').dataset.whole = String(check.missing + check.repeated === 0);
    strip(seconds.until(Date.now() + (client.stats().clockOffsetMs ?? 0)));
    setText(byId('recovery-text'), cut.text + (tally.resyncs === 0 ? '' : ` The log was reset ${tally.resyncs} times.`));
  };
  setInterval(show, SHOW_EVERY_MS);
  show();
}

/** Describes a cut, from the button to the last recovered number. */
class CutReport {
  text = '';
  readonly #client: Client;
  #since: { readonly atMs: number; readonly missing: number; readonly repeated: number } | undefined;
  #recovered = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  begin({ last, missing, repeated }: NumberCheck): void {
    if (this.#client.state.status !== 'connected') return;
    this.#since = { atMs: performance.now(), missing, repeated };
    this.#recovered = 0;
    this.text = `Cut after number ${formatNumber(last)}.`;
  }

  recovered(): void {
    this.#recovered++;
  }

  /** The missed numbers come with the answer to the subscription, before this is called. */
  subscribed(check: NumberCheck): void {
    if (this.#since === undefined) return;
    const { atMs, missing, repeated } = this.#since;
    const lost = check.missing - missing;
    const twice = check.repeated - repeated;
    const outcome = lost + twice === 0 ? 'none missing, none twice' : `${lost} missing, ${twice} twice`;
    this.text = `Back after ${formatDuration(performance.now() - atMs)}: ${formatNumber(this.#recovered)} numbers recovered, ${outcome}.`;
    this.#since = undefined;
  }
}

/** @returns a function that shows other seconds */
function makeStrip(): (seconds: readonly { live: number; recovered: number }[]) => void {
  const strip = byId('strip');
  const columns = Array.from({ length: SECONDS_SHOWN }, () => {
    const column = strip.appendChild(document.createElement('i'));
    return { recovered: column.appendChild(document.createElement('b')), live: column.appendChild(document.createElement('u')) };
  });
  return (seconds) => {
    const most = Math.max(1, ...seconds.map(({ live, recovered }) => live + recovered));
    for (const [at, column] of columns.entries()) {
      const { live = 0, recovered = 0 } = seconds[at] ?? {};
      column.live.style.height = `${(100 * live) / most}%`;
      column.recovered.style.height = `${(100 * recovered) / most}%`;
    }
  };
}
