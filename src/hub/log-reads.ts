import type { Bus } from '../bus/bus.ts';
import type { Log } from '../bus/log.ts';
import type { Publication } from '../bus/publication.ts';
import type { Config, NamespaceOptions } from '../config/schema.ts';
import { ByteBudget } from '../link/byte-budget.ts';
import type { LinkItem } from '../link/publication-message.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { namespaceOf } from '../protocol/topic.ts';
import type { HubMetrics } from './hub-metrics.ts';
import { toLinkItems } from './link-item.ts';

/** Reads of logs for clients, bounded together: each begins as soon as its maximum size fits into the budget of all. */
export class LogReads {
  readonly #config: Config;
  readonly #bus: Bus;
  readonly #metrics: Pick<HubMetrics, 'logReads'>;
  readonly #budget: ByteBudget;

  constructor(config: Config, bus: Bus, metrics: Pick<HubMetrics, 'logReads'>) {
    this.#config = config;
    this.#bus = bus;
    this.#metrics = metrics;
    this.#budget = new ByteBudget(config.tuning.answers.answerBytesPerNodeMax, config.tuning.answers.answersWaitingMax);
  }

  /** Maximum bytes of the reads under way. */
  get bytes(): number {
    return this.#budget.bytes;
  }

  log(topic: FeedName): Log {
    return this.#bus.log(namespaceOf(topic));
  }

  namespace(topic: FeedName): NamespaceOptions {
    return this.#config.namespaces[namespaceOf(topic)] as NamespaceOptions;
  }

  items(topic: FeedName, publications: readonly Publication[]): LinkItem[] {
    return toLinkItems(publications, this.namespace(topic), topic);
  }

  /** @throws ProtocolError `busy`, and what the read throws */
  async read<T>(kind: string, bytesMax: number, read: () => Promise<T>): Promise<T> {
    const release = await this.#budget.take(bytesMax);
    if (release === undefined)
      throw new ProtocolError('busy', `${this.#config.tuning.answers.answersWaitingMax} reads of the log are already waiting`);
    this.#metrics.logReads.inc({ kind });
    try {
      return await read();
    } finally {
      release();
    }
  }
}

/** The log is read this far beyond a page, because a read costs more than what it returns. */
export const READ_AHEAD_BYTES = 512 * 1024;

export function dataBytes({ data }: LinkItem): number {
  return data.length;
}
