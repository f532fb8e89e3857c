import { formatBytes, formatDuration, formatNumber } from '../../telemetry/format.ts';
import type { ConnectionsAnswer } from '../api/schemas/users.ts';
import { type Api, reasonOf, type Target } from './api.ts';
import { confirmed } from './confirm.ts';
import { byId, type Cell, fillTable, onAction, outcome, setText } from './dom.ts';

const SHOWN = 20;

/** Finds users, connections and topics of all nodes, and can disconnect. */
export function watchFindBox(api: Api, showTopic: (topic: string) => void): { allow(mayDisconnect: boolean): void } {
  let mayDisconnect = false;
  const find = async (text: string, done = '') => {
    setText(byId('find-done'), done);
    if (text === '') return;
    outcome('find-outcome', 'quiet', 'searching');
    try {
      await show(api, text, mayDisconnect);
    } catch (error) {
      outcome('find-outcome', 'bad', reasonOf(error));
    }
  };
  byId('find').addEventListener('submit', (event) => {
    event.preventDefault();
    void find(byId<HTMLInputElement>('find-text').value.trim());
  });
  onAction(byId('found'), async (action, value) => {
    if (action === 'topic') return showTopic(value);
    if (action === 'user') {
      byId<HTMLInputElement>('find-text').value = value;
      return find(value);
    }
    const done = await disconnect(api, action === 'end-user' ? { user: value } : { connectionId: value });
    if (done !== undefined) await find(byId<HTMLInputElement>('find-text').value.trim(), done);
  });
  return {
    allow(allowed) {
      mayDisconnect = allowed;
      byId('find-off').hidden = allowed;
    },
  };
}

async function show(api: Api, text: string, mayDisconnect: boolean): Promise<void> {
  const [users, ofUser, one, topics] = await Promise.all([
    api.users(text, SHOWN),
    api.connections({ user: text }, SHOWN),
    api.connections({ connectionId: text.slice(0, 128) }, 1),
    api.topics({ sort: 'name', prefix: text, limit: SHOWN }),
  ]);
  const connections = [...one.connections, ...ofUser.connections];
  byId('found').hidden = false;
  section('found-users', users.users.length, [
    ...users.users.map(({ user, connections: count }) => [
      { text: user, className: 'name', action: 'user', value: user },
      { text: formatNumber(count), className: 'number' },
      mayDisconnect ? { text: 'disconnect all', action: 'end-user', value: user } : { text: '' },
    ]),
  ]);
  section(
    'found-connections',
    connections.length,
    connections.map((connection) => connectionRow(connection, mayDisconnect)),
  );
  section(
    'found-topics',
    topics.topics.length,
    topics.topics.map(({ topic, members }) => [
      { text: topic, className: 'name', action: 'topic', value: topic },
      { text: formatNumber(members), className: 'number' },
    ]),
  );
  const more =
    ofUser.total > SHOWN || users.next !== undefined || topics.next !== undefined ? ` The first ${SHOWN} of each are shown.` : '';
  const silent = users.nodesSilent.length > 0 ? ` No answer from ${users.nodesSilent.join(', ')}.` : '';
  const nothing = users.users.length + connections.length + topics.topics.length === 0;
  outcome('find-outcome', nothing ? 'warn' : 'quiet', `${nothing ? 'Nothing found.' : ''}${more}${silent}`);
}

function connectionRow(connection: ConnectionsAnswer['connections'][number], mayDisconnect: boolean): Cell[] {
  const { connectionId, user, nodeId, connectedForMs, subscriptions, bufferedBytes, lagging } = connection;
  return [
    { text: connectionId, className: 'name' },
    { text: user ?? 'anonymous', className: 'name' },
    { text: nodeId, className: 'name' },
    { text: formatDuration(connectedForMs), className: 'number' },
    { text: formatNumber(subscriptions), className: 'number' },
    { text: `${formatBytes(bufferedBytes)}${lagging ? ', lagging' : ''}`, className: lagging ? 'number bad' : 'number' },
    mayDisconnect ? { text: 'disconnect', action: 'end', value: connectionId } : { text: '' },
  ];
}

function section(id: string, count: number, rows: readonly (readonly Cell[])[]): void {
  byId(`${id}-part`).hidden = count === 0;
  fillTable(byId(id), rows, '');
}

/** @returns what was done; undefined: nothing */
async function disconnect(api: Api, target: Target): Promise<string | undefined> {
  const whose = 'user' in target ? `all connections of ${target.user}` : `the connection ${target.connectionId}`;
  const isWanted = await confirmed({
    title: 'Disconnect?',
    text: `Close ${whose}, on all nodes. The client is told, and does not come back by itself (4010).`,
    action: 'Disconnect',
  });
  if (!isWanted) return undefined;
  try {
    const { connections } = await api.disconnect(target, false);
    return `${connections} ${connections === 1 ? 'connection' : 'connections'} closed`;
  } catch (error) {
    outcome('find-outcome', 'bad', reasonOf(error));
    return undefined;
  }
}
