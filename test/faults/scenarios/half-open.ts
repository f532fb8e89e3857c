import { AttackedNode } from '../attacked-node.ts';
import { newcomerMs } from '../newcomer.ts';
import type { Scenario } from '../scenario.ts';
import { seconds } from '../time.ts';

const DESCRIPTORS = 300;
const REQUESTS = 320;
const CPU_MAX_PERCENT = 20;
const OTHERS_IN_MAX_MS = 2000;

export const halfOpen: Scenario = {
  number: 24,
  title: '320 half-open requests at a worker with 300 descriptors, silent or trickling',
  pass: 'the worker does not spin; others are let in at once',
  size: { clients: 1, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 240_000,
  async execute(run, size) {
    const nats = await run.nats();
    const attacked = await AttackedNode.start(run, [nats.url], size.ratePerSecond, { descriptors: DESCRIPTORS });
    const { node, flooder } = attacked;
    const attacks = [
      { name: 'silent', addresses: ['127.0.0.2'], trickleMs: 0 },
      { name: 'trickling', addresses: ['127.0.0.2'], trickleMs: 2000 },
      { name: 'manyAddresses', addresses: Array.from({ length: 50 }, (_, i) => `127.0.1.${i + 1}`), trickleMs: 2000 },
    ];
    for (const { name, addresses, trickleMs } of size.quick ? attacks.slice(0, 1) : attacks) {
      await flooder.startHalfOpen({ port: node.port, count: REQUESTS, addresses, trickleMs });
      await seconds(1);
      const { cpuPercent, report } = await attacked.during(name, async () => {
        const othersMs = await newcomerMs(node.port, '127.0.0.9');
        const sameMs = name === 'manyAddresses' ? othersMs : await newcomerMs(node.port, '127.0.0.2');
        await seconds(size.quick ? 2 : 6);
        return { othersMs, sameMs, ...(await flooder.halfOpen()) };
      });
      await flooder.stopHalfOpen();
      run.figure(`${name}SameAddressInMs`, report.sameMs);
      if (name === 'manyAddresses') run.figure('manyAddressesInMs', report.othersMs);
      else run.limitMs(`${name}OthersInMs`, report.othersMs, OTHERS_IN_MAX_MS);
      if (!size.quick) run.limit(`${name}WorkerCpuPercent`, cpuPercent, CPU_MAX_PERCENT);
      await seconds(2);
      const afterMs = await newcomerMs(node.port, '127.0.0.2');
      run.limitMs(`${name}AfterMs`, afterMs, OTHERS_IN_MAX_MS);
    }
    await attacked.end();
  },
};
