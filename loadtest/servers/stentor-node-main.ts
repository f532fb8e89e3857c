import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PayloadMaker } from '../../src/bench/stamp.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { createBus } from '../../src/bus/create-bus.ts';
import type { loadConfig } from '../../src/config/load.ts';
import type { RunningNode, startNodeOn } from '../../src/node.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import type { createLogger } from '../../src/telemetry/log.ts';
import type { FeedPlan } from '../core/feed.ts';
import { runFeed } from '../core/feeder.ts';
import { serveCalls } from '../core/rpc.ts';
import type { NodeListening } from './server.ts';

/** A whole node from the built `dist/`, as `stentor serve` starts it; with the memory bus it can also be fed from inside. */
let node: RunningNode;
let bus: Bus;

async function start({ root, flags }: { root: string; flags: Record<string, unknown> }): Promise<NodeListening> {
  const load = (file: string) => import(pathToFileURL(join(root, 'dist', file)).href);
  const built = {
    loadConfig: (await load('config/load.js')).loadConfig as typeof loadConfig,
    createBus: (await load('bus/create-bus.js')).createBus as typeof createBus,
    startNodeOn: (await load('node.js')).startNodeOn as typeof startNodeOn,
    createLogger: (await load('telemetry/log.js')).createLogger as typeof createLogger,
  };
  const { config } = built.loadConfig({ env: process.env, flags });
  const makeBus: typeof createBus = async (...args) => {
    bus = await built.createBus(...args);
    return bus;
  };
  node = await built.startNodeOn(makeBus, config, { log: built.createLogger(config.log) });
  return { port: node.port, adminPort: node.adminPort };
}

function publish(topic: string, payload: Buffer, key: string | null): void {
  bus.publish({ topic: topic as Topic, key: key as never, payload, payloadKind: 'json' }).catch((error: unknown) => {
    process.stderr.write(`publish failed: ${String(error)}\n`);
  });
}

/** As many as the memory bus and the hub take; awaited in groups, as a producer with a window of acks would. */
async function flood({ topic, count, payloadBytes }: { topic: string; count: number; payloadBytes: number }): Promise<void> {
  const payload = new PayloadMaker(payloadBytes).make(0, 0, 0);
  const request = { topic: topic as Topic, key: null, payload, payloadKind: 'json' as const };
  for (let sent = 0; sent < count; sent += 1000) {
    await Promise.all(Array.from({ length: 1000 }, () => bus.publish(request)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

serveCalls({ start, feed: (plan: FeedPlan) => runFeed(plan, publish), flood }, () => node?.stop('benchmark over'));
