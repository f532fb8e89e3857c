import { Registry } from 'prom-client';
import { createBus } from '../../src/bus/create-bus.ts';
import { loadConfig } from '../../src/config/load.ts';
import { Hub } from '../../src/hub/hub.ts';
import { createInProcessLink } from '../../src/link/in-process.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { turn } from './worker-alone.ts';

/**
 * What a hub does to open topics for a worker whose clients come back, without a worker and without sockets of clients, for profiles: each topic has one publication,
 * and nothing was missed. Prints the CPU of each 200 topics. The first run publishes, so that the second one opens topics with a client of NATS that has done nothing.
 *
 *     npx esbuild loadtest/profile/opening.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/opening.mjs
 *     nats-server -js & NATS=nats://127.0.0.1:4222 node .cache/opening.mjs fill
 *     NATS=nats://127.0.0.1:4222 node --cpu-prof --cpu-prof-dir=.cache .cache/opening.mjs
 */
const TOPICS = 4000;
const GROUP = 200;
/** Topics of one write of a worker, and the time to the next one. */
const AT_ONCE = 20;
const PAUSE_MS = 2;

const { config } = loadConfig({
  env: {},
  flags: { 'nats.url': process.env.NATS, namespaces: { bench: { public: true } }, 'log.level': 'silent' },
});
const bus = await createBus(config);
await bus.start();
const names = Array.from({ length: TOPICS }, (_, i) => parseTopic(`bench.w${i}`));

if (process.argv[2] === 'fill') {
  for (const topic of names) await bus.publish({ topic, key: null, payload: Buffer.alloc(100, '1'), payloadKind: 'json' });
  await bus.stop();
  process.exit();
}

const hub = new Hub({ config, bus, nodeId: 'node', logger: createLogger(config.log), registry: new Registry(), pages: [] });
const { hubEnd, workerEnd } = createInProcessLink();
let opened = 0;
workerEnd.onMessages((messages) => {
  for (const { kind } of messages) if (kind === 'opened') opened++;
});
const ignore = () => undefined;
hub.links.attach(hubEnd, 0, 0, { onPrepared: ignore, onListening: ignore, onStartFailed: ignore, onDrained: ignore });
const { epoch, lastOffset } = await bus.log('bench').state();
const first = lastOffset - TOPICS + 1;

for (let from = 0; from < TOPICS; from += GROUP) {
  const before = process.cpuUsage();
  for (let at = from; at < from + GROUP; at += AT_ONCE) {
    for (let i = at; i < at + AT_ONCE; i++) workerEnd.send({ kind: 'open', topic: names[i]!, since: { epoch, offset: first + i } });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  while (opened < from + GROUP) await turn();
  const { user, system } = process.cpuUsage(before);
  console.log(`${from + GROUP} topics: ${((user + system) / GROUP).toFixed(0)} µs each of the last ${GROUP}`);
}
process.exit();
