import type { ConnectionState } from '../../client/index.ts';
import { byId, setText } from '../../http/page/dom.ts';

const TONES = { connected: 'good', connecting: 'warn', reconnecting: 'warn', disconnected: 'bad' } as const;

/** Shows the state of the connection in the head of the page. */
export function showStatus({ status }: ConnectionState): void {
  setText(byId('state'), status);
  byId('state').dataset.tone = TONES[status];
}
