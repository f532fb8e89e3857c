import { type Api, reasonOf } from './api.ts';
import { confirmed } from './confirm.ts';
import { byId, outcome, setText } from './dom.ts';

/** The form to publish. It is shown once a token has been given that permits it. */
export function watchPublishBox(api: Api): { allow(allowed: boolean, hasToken: boolean): void } {
  const form = byId<HTMLFormElement>('publish');
  const value = (id: string) => byId<HTMLInputElement>(id).value;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void publish(api, value('publish-topic').trim(), value('publish-key').trim(), value('publish-data'));
  });
  return {
    allow(allowed, hasToken) {
      form.hidden = !allowed;
      byId('publish-off').hidden = allowed;
      setText(
        byId('publish-off'),
        hasToken ? 'Disabled: the token does not have the scope publish.' : 'Disabled: admin.token is not set on this node.',
      );
    },
  };
}

async function publish(api: Api, topic: string, key: string, text: string): Promise<void> {
  const say = (tone: 'quiet' | 'good' | 'bad', words: string) => outcome('publish-outcome', tone, words);
  try {
    JSON.parse(text);
  } catch (error) {
    return say('bad', `The data is not valid JSON: ${(error as Error).message}`);
  }
  say('quiet', '');
  const where = key === '' ? topic : `${topic}, key ${key}`;
  if (!(await confirmed({ title: 'Publish?', text: `All subscribers of ${where} get it, on all nodes.`, action: 'Publish' }))) return;
  say('quiet', 'publishing');
  try {
    const { offset, duplicate } = await api.publish(topic, key, text);
    say('good', `${offset === 0 ? 'published' : `stored at offset ${offset}`}${duplicate ? ', duplicate' : ''}`);
  } catch (error) {
    say('bad', reasonOf(error));
  }
}
