import net from 'node:net';
import { rawUpgrade } from '../../support/raw-http.ts';
import { until } from '../../support/until.ts';
import { AttackedNode } from '../attacked-node.ts';
import { newcomerMs } from '../newcomer.ts';
import type { Scenario } from '../scenario.ts';
import { seconds } from '../time.ts';

const DESCRIPTORS = 300;
const CONNECTS = 500;
const CPU_MAX_PERCENT = 20;
const IN_MAX_MS = 2000;
const AGAIN_AFTER_MS = 1000;

export const descriptors: Scenario = {
  number: 11,
  title: `${CONNECTS} clients connect to a worker with ${DESCRIPTORS} descriptors, again every second`,
  pass: 'it refuses those that are too many with 503, does not spin, and lets others in when there is room again',
  size: { clients: 1, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 120_000,
  async execute(run, size) {
    const nats = await run.nats();
    const attacked = await AttackedNode.start(run, [nats.url], size.ratePerSecond, { descriptors: DESCRIPTORS });
    const { port } = attacked.node;
    const knocking = new Knocking(port);
    run.onEnd(() => knocking.stop());
    await seconds(2);
    const { cpuPercent, report } = await attacked.during('connects', async () => {
      await seconds(size.quick ? 2 : 8);
      // A busy machine is not full by then.
      await until('somebody gets 503', () => (knocking.report.statuses['503'] ?? 0) > 0);
      return knocking.report;
    });
    run.figure('open', report.open);
    run.figure('refused', report.statuses['503'] ?? 0);
    run.expect(report.open > 0, 'nobody was let in');
    if (!size.quick) run.limit('connectsWorkerCpuPercent', cpuPercent, CPU_MAX_PERCENT);
    knocking.stop();
    run.limitMs('afterMs', await newcomerMs(port, '127.0.0.1'), IN_MAX_MS);
    await attacked.end();
  },
};

/** So many sockets that want to be WebSockets. One that is refused comes again. */
class Knocking {
  readonly #port: number;
  readonly #sockets = new Set<net.Socket>();
  readonly #open = new Set<net.Socket>();
  readonly #statuses: Record<string, number> = {};
  #stopped = false;

  constructor(port: number) {
    this.#port = port;
    for (let i = 0; i < CONNECTS; i++) this.#knock();
  }

  /** `none`: cut without an answer. */
  get report() {
    return { open: this.#open.size, statuses: { ...this.#statuses } as Readonly<Record<string, number>> };
  }

  stop(): void {
    this.#stopped = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #knock(): void {
    if (this.#stopped) return;
    const socket = net.connect(this.#port, '127.0.0.1', () => socket.write(rawUpgrade()));
    this.#sockets.add(socket);
    let status = 'none';
    socket.on('data', (bytes) => {
      if (status !== 'none') return;
      status = bytes.toString('latin1', 9, 12);
      this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
      if (status === '101') this.#open.add(socket);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#open.delete(socket);
      if (status === 'none') this.#statuses.none = (this.#statuses.none ?? 0) + 1;
      setTimeout(() => this.#knock(), AGAIN_AFTER_MS);
    });
  }
}
