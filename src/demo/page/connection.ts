import { type Client, type ConnectionState, createClient, type WebSocketConstructor } from '../../client/index.ts';
import { byId, fillPairs } from '../../http/page/dom.ts';
import { formatDuration } from '../../telemetry/format.ts';
import { endpoint } from './endpoint.ts';
import { showStatus } from './status.ts';

/** The code that a browser reports for a connection that ended without a close frame. */
const CUT_CODE = 1006;
const SHOW_EVERY_MS = 200;

/** The connection of the page, and a way to cut it: for a while its sockets are closed, and new ones fail. */
export class Connection {
  readonly client: Client;
  #cutUntilMs = 0;
  #socket: WebSocket | undefined;

  constructor() {
    const connection = this;
    class CuttableWebSocket extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        if (performance.now() < connection.#cutUntilMs) throw new Error('still cut');
        super(url, protocols);
        connection.#socket = this;
      }
    }
    this.client = createClient({
      url: endpoint(),
      WebSocket: CuttableWebSocket as unknown as WebSocketConstructor,
      // A person watches this page. The load of many reconnecting clients on a server does not matter here.
      backoff: { maxMs: 2000 },
    });
  }

  cut(ms: number): void {
    this.#cutUntilMs = performance.now() + ms;
    const socket = this.#socket;
    // Simulates a network failure: close immediately, without waiting for the close frame of the server.
    socket?.onclose?.(new CloseEvent('close', { code: CUT_CODE, reason: 'cut by the button' }));
    socket?.close();
  }
}

/** Shows the state of the connection, and counts down to the next attempt. */
export function showConnection(client: Client): void {
  let sinceMs = Date.now();
  const show = () => {
    const { state } = client;
    showStatus(state);
    const { rttMs, disconnects } = client.stats();
    const roundTrip: [string, string] = ['round trip', rttMs === undefined ? '–' : `${rttMs.toFixed(1)} ms`];
    fillPairs(byId('connection'), [...describe(state, sinceMs), roundTrip, ['connections lost', String(disconnects)]]);
  };
  let { status } = client.state;
  client.on('state', (state) => {
    if (state.status !== status) sinceMs = Date.now();
    status = state.status;
    show();
  });
  setInterval(show, SHOW_EVERY_MS);
  show();
}

/** Returns the same lines in every state, so that the page layout does not jump. */
function describe(state: ConnectionState, sinceMs: number): [string, string][] {
  const reason = 'reason' in state && state.reason !== undefined ? `${state.reason.code} ${state.reason.text}` : 'none';
  const nextAtMs = 'nextAttemptAtMs' in state ? state.nextAttemptAtMs : undefined;
  const waiting = nextAtMs === undefined ? 'under way' : `in ${formatDuration(Math.max(0, nextAtMs - Date.now()))}`;
  const lines: [string, string][] = [
    ['state', state.status],
    ['for', formatDuration(Date.now() - sinceMs)],
    ['reason', reason],
  ];
  if (state.status === 'connected') return [...lines, ['next attempt', 'none needed'], ['node', state.nodeId]];
  if (state.status === 'disconnected') return [...lines, ['next attempt', 'none'], ['node', 'none']];
  return [...lines, ['next attempt', `${waiting}, after ${state.attempt} failed`], ['node', 'none']];
}
