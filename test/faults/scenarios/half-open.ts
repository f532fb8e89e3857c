import net from 'node:net';
import { rawUpgrade } from '../../support/raw-http.ts';
import { AttackedNode } from '../attacked-node.ts';
import type { Scenario } from '../scenario.ts';
import { monoMs, seconds } from '../time.ts';

const DESCRIPTORS = 300;
const REQUESTS = 320;
const CPU_MAX_PERCENT = 20;
const OTHERS_IN_MAX_MS = 2000;
const GIVE_UP_MS = 30_000;
const AGAIN_AFTER_MS = 100;

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

/** From the first try until a WebSocket is open. */
async function newcomerMs(port: number, localAddress: string): Promise<number> {
  const startMs = monoMs();
  while (monoMs() - startMs < GIVE_UP_MS) {
    if (await isLetIn(port, localAddress)) return monoMs() - startMs;
    await seconds(AGAIN_AFTER_MS / 1000);
  }
  return GIVE_UP_MS;
}

function isLetIn(port: number, localAddress: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    const timer = setTimeout(() => socket.destroy(), GIVE_UP_MS);
    socket.once('connect', () => socket.write(rawUpgrade()));
    socket.once('data', (bytes) => {
      resolve(bytes.toString('latin1').startsWith('HTTP/1.1 101'));
      socket.destroy();
    });
    socket.once('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(false);
    });
  });
}
