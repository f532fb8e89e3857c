import { until } from '../../support/until.ts';
import { topicsOf } from '../fault-run.ts';
import type { Scenario } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';

const WORKERS = 3;
const BACK_MAX_MS = 2000;
/** The others share two cores with a thousand clients that come back: what they may wait is bounded, not nothing. */
const SILENCE_MAX_MS = 1000;

export const workerKilled: Scenario = {
  number: 2,
  title: 'kill -9 one worker of a node',
  pass: 'only its clients reconnect; the rest see nothing; the worker is back in < 2 s',
  size: { clients: 3000, ratePerSecond: 1000, topics: 2, quick: false },
  timeoutMs: 120_000,
  async execute(run, size) {
    const nats = await run.nats();
    const urls = [nats.url];
    const topics = topicsOf(size.topics);
    const node = await run.node(urls, { settings: { workers: WORKERS } });
    const feed = await run.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
    const swarm = await run.swarm({ clients: size.clients, topics });
    const sdk = await run.sdkClients(9, topics);
    feed.start();
    await seconds(size.quick ? 1 : 3);
    await swarm.watchSilence();
    await seconds(size.quick ? 1 : 3);
    run.figure('silenceBeforeMs', await swarm.silence());

    await run.calm(swarm);
    const before = await swarm.stats();
    const [victim] = node.workerPids as [number];
    await swarm.watchSilence();
    const killedAtMs = monoMs();
    process.kill(victim, 'SIGKILL');
    await until('the worker to be back', () => node.workerPids.length === WORKERS && !node.workerPids.includes(victim));
    run.limitMs('workerBackMs', monoMs() - killedAtMs, BACK_MAX_MS);
    const { behind } = await swarm.reach({ offsets: await feed.nextOnEachTopic(), timeoutMs: 20_000 });
    run.expect(behind === 0, `${behind} clients are not live again`);
    await seconds(size.quick ? 0.5 : 3);

    const after = await swarm.stats();
    const hit = Object.entries(after.disconnects);
    run.expect(hit.length === 1, `connections of ${hit.length} workers ended: ${JSON.stringify(after.disconnects)}`);
    for (const [worker, count] of hit) {
      run.expect(count === before.liveByWorker[worker], `${count} connections of ${worker} ended, it had ${before.liveByWorker[worker]}`);
    }
    run.limitMs('silenceOfTheRestMs', await swarm.silence(hit.map(([worker]) => worker)), SILENCE_MAX_MS);
    run.figure('resumeP99Ms', after.resumeMs.p99);
    await run.judge({ urls, swarm, size, feed, sdk });
  },
};
