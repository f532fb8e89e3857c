import { type ConnectionState, createClient } from '@stentor-broadcast/client';
import { byId, setText } from '../../http/page/dom.ts';
import { Chat } from './chat.ts';
import { TEXT_CHARACTERS_MAX } from './events.ts';
import { askForToken, storedVisitor, storeVisitor, type Visitor } from './visitor.ts';

const TONES = { connected: 'good', connecting: 'warn', reconnecting: 'warn', disconnected: 'bad' } as const;

const join = byId<HTMLFormElement>('join');
const name = byId<HTMLInputElement>('name');

join.onsubmit = async (event) => {
  event.preventDefault();
  setText(byId('join-problem'), '');
  try {
    enter(await askForToken(name.value));
    byId('text').focus();
  } catch (error) {
    setText(byId('join-problem'), (error as Error).message);
  }
};

byId<HTMLInputElement>('text').maxLength = TEXT_CHARACTERS_MAX;
const visitor = storedVisitor();
if (visitor === undefined) askForName();
else enter(visitor);

function askForName(why = ''): void {
  storeVisitor(undefined);
  byId('chat').hidden = true;
  byId('me').hidden = true;
  join.hidden = false;
  setText(byId('join-problem'), why);
  name.focus();
}

/** Connects as the visitor, until they leave, or the server refuses them permanently. */
function enter(visitor: Visitor): void {
  storeVisitor(visitor);
  join.hidden = true;
  byId('chat').hidden = false;
  byId('me').hidden = false;
  setText(byId('my-name'), visitor.user);
  const client = createClient({ url: endpoint(), token: visitor.token });
  const chat = new Chat(client, visitor.user);
  client.on('state', (state) => showState(state));
  client.on('state', (state) => {
    if (state.status !== 'disconnected') return;
    chat.stop();
    askForName(state.reason.code === 1000 ? '' : `The server has ended the connection: ${state.reason.text}.`);
  });
  byId('leave').onclick = () => void client.close();
  showState(client.state);
}

function showState({ status }: ConnectionState): void {
  setText(byId('state'), status);
  byId('state').dataset.tone = TONES[status];
}

function endpoint(): string {
  const path = document.querySelector<HTMLMetaElement>('meta[name="stentor-path"]')?.content ?? '/ws';
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`;
}
