import { WebSocket } from 'ws';
import { childScript } from '../build.ts';
import { Child } from '../core/rpc.ts';
import { emptyRun } from '../measure/empty-run.ts';
import { withServer } from '../measure/with-server.ts';
import { makeToken } from '../swarm/token.ts';
import { BENCH_NAMESPACE } from './feeds.ts';
import type { Scenario } from './scenario.ts';

const TOPIC = `${BENCH_NAMESPACE}.room`;
const COMMANDS = 1000;
/** Code is compiled, and kept answers are there, by then. */
const FIRST_COMMANDS = 300;

export const hooks: Scenario = {
  name: 'hooks',
  title: 'Hooks: time to the answer of a publish and of a subscribe',
  describes:
    'One client with a token sends 1,000 publishes, then 1,000 subscribes (each is followed by an unsubscribe), one after the other, each when the one before is answered. ' +
    'The service answers at once, on the same machine. What a hook adds is the difference to the server without hooks.',
  servers: ['stentor-no-hooks', 'stentor-hooks-nats', 'stentor-hooks-kept', 'stentor-hooks-code'],
  baseline: 'stentor-no-hooks',
  targets: [],
  run(server, pair, overrides) {
    const commands = overrides.quick ? COMMANDS / 10 : COMMANDS;
    return withServer(server, { nodes: 1, workers: 1, keyed: false }, async ({ server: { natsUrl, ports, tokenSecret } }) => {
      if (natsUrl === undefined || tokenSecret === undefined) throw new Error(`${server.name} has no users, or no NATS`);
      const service = new Child('hook-service', childScript('hook-service'));
      try {
        await service.call('start', { natsUrl });
        const client = await Client.open(`ws://127.0.0.1:${ports[0]}/ws`, makeToken('ann', tokenSecret));
        const publish = () => client.ask({ type: 'publish', topic: TOPIC, data: { text: 'hi' } });
        const subscribe = () => client.ask({ type: 'subscribe', topic: TOPIC });
        const unsubscribe = () => client.ask({ type: 'unsubscribe', topic: TOPIC });
        const [publishP50Ms, publishP99Ms] = await percentiles(commands, publish);
        const [subscribeP50Ms, subscribeP99Ms] = await percentiles(commands, subscribe, unsubscribe);
        client.close();
        return emptyRun(server.name, pair, { publishP50Ms, publishP99Ms, subscribeP50Ms, subscribeP99Ms });
      } finally {
        await service.stop();
      }
    });
  },
};

/** @param after is not measured */
async function percentiles(commands: number, work: () => Promise<unknown>, after?: () => Promise<unknown>): Promise<[number, number]> {
  const times: number[] = [];
  for (let i = 0; i < FIRST_COMMANDS + commands; i++) {
    const startMs = performance.now();
    await work();
    if (i >= FIRST_COMMANDS) times.push(performance.now() - startMs);
    await after?.();
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  return [at(0.5), at(0.99)];
}

interface Answer {
  readonly id?: number;
  readonly type: string;
  readonly code?: string;
}

/** One question at a time. */
class Client {
  readonly #socket: WebSocket;
  #lastId = 0;
  #waits: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  static async open(url: string, token: string): Promise<Client> {
    const socket = new WebSocket(url, ['stentor.v1.json', `bearer.${token}`]);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return new Client(socket);
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (text) => {
      for (const answer of [JSON.parse(String(text))].flat() as Answer[]) {
        if (answer.id !== this.#lastId) continue;
        if (answer.type === 'error') this.#waits?.reject(new Error(`the client was refused: ${answer.code}`));
        else this.#waits?.resolve(answer);
      }
    });
    socket.on('close', (code) => this.#waits?.reject(new Error(`closed with ${code}`)));
  }

  /** @throws Error if it is refused */
  ask(command: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waits = { resolve, reject };
      this.#socket.send(JSON.stringify({ ...command, id: ++this.#lastId }));
    });
  }

  close(): void {
    this.#waits = undefined;
    this.#socket.close();
  }
}
