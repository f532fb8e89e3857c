// Hub's bytes a user: ConnectionLimit over the NATS bus, and the hub's topic of a user with one subscriber.
import { createBus } from '/tmp/Uw/src/bus/create-bus.ts';
import { loadConfig } from '/tmp/Uw/src/config/load.ts';
import { ConnectionLimit } from '/tmp/Uw/src/hub/users/connection-limit.ts';
import { TopicRegistry } from '/tmp/Uw/src/hub/topic-registry.ts';
import { HubMetrics } from '/tmp/Uw/src/hub/hub-metrics.ts';
import { createLogger } from '/tmp/Uw/src/telemetry/log.ts';
import { userTopicOf } from '/tmp/Uw/src/protocol/user-topic.ts';
import { Registry } from 'prom-client';
const url = process.argv[2]!; const users = Number(process.argv[3]); const max = Number(process.argv[4]);
const { config } = loadConfig({ env: {}, flags: { 'nats.url': url, namespaces: { user: { durable: false } }, 'tuning.hub.userInterestMax': max, 'log.level':'silent', 'limits.topicsPerNodeMax': 1_000_000 } });
const bus = await createBus(config, { onNotice: () => undefined }); await bus.start();
const heap = async () => { for (let i=0;i<4;i++){ (globalThis as any).gc(); await new Promise(r=>setTimeout(r,100)); } const m = process.memoryUsage(); return [m.heapUsed + m.external, m.rss] as const; };
const link = { send() {}, onMessages() {}, onClose() {}, queuedBytes: 0, close() {} } as never;
const limit = new ConnectionLimit<object>({ config, bus, instance: 'i'.repeat(12), close: () => undefined });
const logger = createLogger(config.log as never);
const topics = new TopicRegistry(config, bus, logger, new HubMetrics(new Registry(), logger));
const before = await heap();
const cpu0 = process.cpuUsage(); const t0 = performance.now();
for (let i = 0; i < users; i++) { await limit.add({ user: `user-${i}-0123456789abcdef`, connectionId: `node-1-${i}-aaaaaaaa`, owner: link }); if (i % 500 === 0) await new Promise(r => setImmediate(r)); }
await new Promise(r => setTimeout(r, 3000));
const cpu = process.cpuUsage(cpu0);
const mid = await heap();
console.log(`${users} users, own subscriptions up to ${max}: limit: heap ${((mid[0]-before[0])/users).toFixed(0)} B a user, rss ${((mid[1]-before[1])/users).toFixed(0)} B; cpu ${(((cpu.user+cpu.system)/users)).toFixed(1)} us a connect (announcement, own echo, NATS included), wall ${(performance.now()-t0).toFixed(0)} ms`);
for (let i = 0; i < users; i++) { topics.addInterest(userTopicOf(`user-${i}-0123456789abcdef`) as never, link); if (i % 500 === 0) await new Promise(r => setImmediate(r)); }
await new Promise(r => setTimeout(r, 3000));
const after = await heap();
console.log(`topic of each, subscribed by one worker: heap ${((after[0]-mid[0])/users).toFixed(0)} B a user, rss ${((after[1]-mid[1])/users).toFixed(0)} B`);
// A reconnect: how long until messages to the first and the last user come again.
const [,, , , pid] = process.argv;
process.exit(0);
