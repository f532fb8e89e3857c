import { createClient } from '@stentor-broadcast/client';
import { byId, setText } from '../../http/page/dom.ts';
import { endpoint } from '../page/endpoint.ts';
import { showStatus } from '../page/status.ts';
import { Chat } from './chat.ts';
import { TEXT_CHARACTERS_MAX } from './events.ts';
import { askForToken, storedVisitor, storeVisitor, type Visitor } from './visitor.ts';

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
  client.on('state', showStatus);
  client.on('state', (state) => {
    if (state.status !== 'disconnected') return;
    chat.stop();
    askForName(state.reason.code === 1000 ? '' : `The server has ended the connection: ${state.reason.text}.`);
  });
  byId('leave').onclick = () => void client.close();
  showStatus(client.state);
}
