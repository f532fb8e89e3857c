import { Histogram, type Registry } from 'prom-client';
import type { Logger } from './log.ts';

/** A hook that fails does so many times a second: one line in so long says it, and how often it was. */
const LOG_INTERVAL_MS = 10_000;

export interface HookWatch {
  onResult(result: string, durationMs: number): void;
  onFailed(where: string, reason: string): void;
}

/** How long hooks take, with what result; and why they fail, in the log. */
export class HookMetrics {
  readonly #seconds: Histogram<'hook' | 'topic_namespace' | 'result'>;
  readonly #logger: Logger;

  /** @param name of the metric: hub and workers have one each */
  constructor(name: string, registry: Registry, logger: Logger) {
    this.#logger = logger;
    this.#seconds = new Histogram({
      name,
      help: 'Time that hooks took, by hook, namespace and result: allowed, denied, failed, busy (not asked), cached (not asked), joined (waited for the answer to an equal question).',
      labelNames: ['hook', 'topic_namespace', 'result'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    });
  }

  of(hook: string, namespace: string): HookWatch {
    let failures = 0;
    let loggedAtMs = Number.NEGATIVE_INFINITY;
    return {
      onResult: (result, durationMs) => this.#seconds.observe({ hook, topic_namespace: namespace, result }, durationMs / 1000),
      onFailed: (where, reason) => {
        failures++;
        const nowMs = performance.now();
        if (nowMs - loggedAtMs < LOG_INTERVAL_MS) return;
        loggedAtMs = nowMs;
        this.#logger.warn({ hook, ...(namespace !== '' && { namespace }), where, reason, failures }, 'a hook failed');
        failures = 0;
      },
    };
  }
}
