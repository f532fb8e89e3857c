import type { Config } from '../config/schema.ts';
import type { Bus, BusNotice } from './bus.ts';
import { MemoryBus } from './memory/memory-bus.ts';

export interface BusOptions {
  /** Milliseconds since 1970. */
  readonly nowMs?: () => number;
  readonly onNotice?: (notice: BusNotice) => void;
}

/** The memory bus if `nats.url` is empty, otherwise the NATS bus. Not started yet. */
export async function createBus(config: Config, { nowMs = Date.now, onNotice = () => undefined }: BusOptions = {}): Promise<Bus> {
  if (config.nats.url === '') return new MemoryBus(config, nowMs);
  // Loaded here, so that a node without NATS never loads the NATS client.
  const { NatsBus } = await import('./nats/nats-bus.ts');
  return new NatsBus(config, nowMs, onNotice);
}
