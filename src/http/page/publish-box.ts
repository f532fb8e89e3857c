import { type Api, Refused } from './api.ts';
import { byId, setText } from './dom.ts';

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
  try {
    JSON.parse(text);
  } catch (error) {
    return outcome('bad', `The data is not valid JSON: ${(error as Error).message}`);
  }
  outcome('quiet', 'publishing');
  try {
    const { offset, duplicate } = await api.publish(topic, key, text);
    outcome('good', `${offset === 0 ? 'published' : `stored at offset ${offset}`}${duplicate ? ', duplicate' : ''}`);
  } catch (error) {
    outcome('bad', error instanceof Refused ? `${error.code}: ${error.message}` : (error as Error).message);
  }
}

function outcome(tone: 'quiet' | 'good' | 'bad', text: string): void {
  const output = byId('publish-outcome');
  output.dataset.tone = tone;
  setText(output, text);
}
