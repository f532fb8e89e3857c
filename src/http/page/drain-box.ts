import { type Api, reasonOf } from './api.ts';
import { confirmed } from './confirm.ts';
import { byId, outcome } from './dom.ts';

/** The button that drains this node. */
export function watchDrainBox(api: Api): { allow(nodeId: string, connections: number, allowed: boolean): void } {
  let nodeId = '';
  let connections = 0;
  const button = byId<HTMLButtonElement>('drain');
  button.addEventListener('click', async () => {
    const isWanted = await confirmed({
      title: `Drain ${nodeId}?`,
      text: `It takes no new connections, closes its ${connections} gradually, and then ends. Their clients reconnect, to other nodes if there are any. What started it may start it again.`,
      action: 'Drain this node',
    });
    if (!isWanted) return;
    try {
      await api.drain(nodeId);
      button.disabled = true;
      outcome('drain-outcome', 'good', 'It drains, and then ends.');
    } catch (error) {
      outcome('drain-outcome', 'bad', reasonOf(error));
    }
  });
  return {
    allow(id, count, allowed) {
      nodeId = id;
      connections = count;
      button.hidden = !allowed;
      byId('drain-off').hidden = allowed;
    },
  };
}
