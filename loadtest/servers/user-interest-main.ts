import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Bus, Listener } from '../../src/bus/bus.ts';
import type { createBus } from '../../src/bus/create-bus.ts';
import type { loadConfig } from '../../src/config/load.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { serveCalls } from '../core/rpc.ts';

interface Start {
  readonly root: string;
  readonly natsUrl: string;
  readonly users: number;
  /** Above it, one subscription for all. */
  readonly userInterestMax: number;
}

let bus: Bus | undefined;
let heard = new Uint8Array(0);
let heardCount = 0;
let connectedAtMs = 0;
let onAll: ((atMs: number) => void) | undefined;

/** The part of a hub that users' topics and the limit of their connections need of NATS: two subscriptions a user, where each has its own. */
async function start({ root, natsUrl, users, userInterestMax }: Start): Promise<void> {
  const load = (file: string) => import(pathToFileURL(join(root, 'dist', file)).href);
  const { loadConfig: readConfig } = (await load('config/load.js')) as { loadConfig: typeof loadConfig };
  const { createBus: makeBus } = (await load('bus/create-bus.js')) as { createBus: typeof createBus };
  const flags = {
    'nats.url': natsUrl,
    'tuning.hub.userInterestMax': userInterestMax,
    'limits.topicsPerNodeMax': 1_000_000,
    namespaces: { user: { durable: false } },
  };
  bus = await makeBus(readConfig({ env: process.env, flags }).config);
  bus.onConnectedChange((connected) => {
    if (connected) connectedAtMs = Date.now();
  });
  await bus.start();
  heard = new Uint8Array(users);
  const listeners: Listener[] = [];
  for (let user = 0; user < users; user++) {
    bus.listenToUser(`users.${user}`, { hear: () => undefined });
    listeners.push(bus.listen(`user.${user}` as Topic, { onPublication: () => hear(user), onDenied: () => undefined }));
    if (user % 1000 === 999) await listeners.at(-1)?.live;
  }
  await Promise.all(listeners.map(({ live }) => live));
}

function hear(user: number): void {
  if (heard[user] === 1) return;
  heard[user] = 1;
  if (++heardCount === heard.length) onAll?.(Date.now());
}

/** Forgets who has got something. */
function forget(): void {
  heard.fill(0);
  heardCount = 0;
}

/** When the last of all users has got something, and when the node was connected last: milliseconds since 1970. */
async function whenAll(): Promise<{ readonly allAtMs: number; readonly connectedAtMs: number }> {
  const allAtMs = heardCount === heard.length ? Date.now() : await new Promise<number>((resolve) => (onAll = resolve));
  return { allAtMs, connectedAtMs };
}

serveCalls({ start, forget, whenAll, count: () => heardCount }, () => bus?.stop());
