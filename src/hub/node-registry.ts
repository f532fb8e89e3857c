import type { Bus } from '../bus/bus.ts';
import { AlignedInterval } from '../telemetry/aligned-interval.ts';
import type { Logger } from '../telemetry/log.ts';
import { decodeAnnouncement, encodeAnnouncement, type NodeStatus } from './announcement.ts';
import type { OtherNode } from './node-answers.ts';
import type { NodeSummary } from './report-types.ts';

/** A node that is silent for so long is removed. */
const FORGET_MS = 60_000;
/** A busy node misses an announcement now and then. */
const SILENT_INTERVALS = 3;

export interface NodeRegistryOptions {
  readonly bus: Pick<Bus, 'announce' | 'onAnnouncement'>;
  readonly logger: Logger;
  /** 0: this node does not announce itself. */
  readonly intervalMs: number;
  /** Maximum number of other nodes that are remembered. Further ones are not shown. */
  readonly nodesMax: number;
  /** The current status of this node. */
  readonly status: () => Promise<NodeStatus>;
  /** Milliseconds, from any origin. */
  readonly nowMs?: () => number;
  /** Milliseconds since 1970. */
  readonly wallMs?: () => number;
}

interface Look {
  readonly status: NodeStatus;
  readonly atMs: number;
}

interface Heard extends Look {
  /** Its clock minus the one here. Its way through NATS makes it too small by as much. */
  readonly clockOffsetMs: number;
  readonly before: Look | undefined;
}

/** The nodes that share the bus, and their status, which each announces regularly. It is for display only; nothing is decided by it. */
export class NodeRegistry {
  readonly #options: NodeRegistryOptions;
  readonly #nowMs: () => number;
  readonly #wallMs: () => number;
  /** By instance. */
  readonly #heard = new Map<string, Heard>();
  readonly #timer: AlignedInterval | undefined;
  readonly #stopListening: () => void;
  #own: Heard | undefined;
  #announcing: Promise<void> | undefined;
  #warnedOfNamesake = false;
  #stopped = false;

  constructor(options: NodeRegistryOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#wallMs = options.wallMs ?? (() => Date.now());
    this.#stopListening = options.bus.onAnnouncement('nodes', (data) => this.#receive(data));
    if (options.intervalMs === 0) return;
    this.#timer = new AlignedInterval(options.intervalMs, () => this.#announce());
    this.#announce();
  }

  /** Number of nodes that are not silent, including this one. */
  get size(): number {
    return 1 + this.others().length;
  }

  /** The other nodes that are not silent. */
  others(): OtherNode[] {
    const nowMs = this.#nowMs();
    const others = [...this.#heard.values()].filter((heard) => !isSilent(heard, nowMs));
    return others.map(({ status: { instance, nodeId } }) => ({ instance, nodeId }));
  }

  /** This node first, then the others, sorted by name. */
  async nodes(): Promise<NodeSummary[]> {
    const own = this.#own ?? next(undefined, await this.#options.status(), this.#nowMs(), 0);
    const nowMs = this.#nowMs();
    this.#forgetSilent(nowMs);
    const others = [...this.#heard.values()].map((heard) => summaryOf(heard, nowMs));
    others.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    return [{ ...summaryOf(own, nowMs), self: true, silent: false }, ...others];
  }

  /** Announces that the node leaves, so that the others remove it immediately. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.stop();
    this.#stopListening();
    await this.#announcing;
    if (this.#own === undefined) return;
    const { instance } = this.#own.status;
    this.#options.bus.announce('nodes', encodeAnnouncement({ instance, leaving: true }));
  }

  /** One announcement at a time: a busy node announces itself less often. */
  #announce(): void {
    this.#announcing ??= this.#announceOnce()
      .catch((error) => this.#options.logger.error({ err: error }, 'the node could not announce itself'))
      .finally(() => {
        this.#announcing = undefined;
      });
  }

  async #announceOnce(): Promise<void> {
    const status = await this.#options.status();
    if (this.#stopped) return;
    this.#own = next(this.#own, status, this.#nowMs(), 0);
    this.#options.bus.announce('nodes', encodeAnnouncement(status));
  }

  #receive(data: Uint8Array): void {
    const announcement = decodeAnnouncement(data);
    if (announcement === undefined || announcement.instance === this.#own?.status.instance) return;
    const { instance } = announcement;
    if ('leaving' in announcement) {
      this.#heard.delete(instance);
      return;
    }
    const nowMs = this.#nowMs();
    const known = this.#heard.get(instance);
    if (known === undefined) {
      this.#forgetSilent(nowMs);
      if (this.#heard.size >= this.#options.nodesMax) return;
    } else this.#warnOfNamesake(announcement);
    const clockOffsetMs = Math.round(announcement.clockMs - this.#wallMs());
    this.#heard.set(instance, next(known, announcement, nowMs, clockOffsetMs));
  }

  /** A node with the same name that is heard twice is not a predecessor of this node, which has stopped. */
  #warnOfNamesake({ nodeId, host }: NodeStatus): void {
    if (nodeId !== this.#own?.status.nodeId || this.#warnedOfNamesake) return;
    this.#warnedOfNamesake = true;
    this.#options.logger.warn({ host }, 'another node has the same nodeId; give each node its own, or set none');
  }

  #forgetSilent(nowMs: number): void {
    for (const [instance, { atMs }] of this.#heard) if (nowMs - atMs > FORGET_MS) this.#heard.delete(instance);
  }
}

function next(known: Look | undefined, status: NodeStatus, atMs: number, clockOffsetMs: number): Heard {
  return { status, atMs, clockOffsetMs, before: known && { status: known.status, atMs: known.atMs } };
}

/** Of another node. */
function summaryOf(heard: Heard, nowMs: number): NodeSummary {
  const { status, atMs, before, clockOffsetMs } = heard;
  const { instance, publicationsIn, deliveries, clockMs, ...shown } = status;
  const perSecond = (field: 'publicationsIn' | 'deliveries') => {
    if (before === undefined || atMs <= before.atMs) return null;
    const more = status[field] - before.status[field];
    // The counters of a restarted worker start at 0.
    return more < 0 ? null : (more * 1000) / (atMs - before.atMs);
  };
  return {
    ...shown,
    publicationsPerSecond: perSecond('publicationsIn'),
    deliveriesPerSecond: perSecond('deliveries'),
    clockOffsetMs,
    self: false,
    silent: isSilent(heard, nowMs),
    heardMsAgo: Math.round(nowMs - atMs),
  };
}

function isSilent({ status, atMs }: Look, nowMs: number): boolean {
  return nowMs - atMs > SILENT_INTERVALS * status.announceIntervalMs;
}
