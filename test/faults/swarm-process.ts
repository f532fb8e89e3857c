import { Child } from '../../loadtest/core/rpc.ts';
import { childScript } from './build.ts';
import type { CheckRequest, Reached, StatsReport, SwarmReport, SwarmSettings, Target } from './swarm/settings.ts';

/** A swarm in a process of its own. */
export class SwarmProcess {
  readonly settings: SwarmSettings;
  readonly #child: Child;

  private constructor(settings: SwarmSettings, child: Child) {
    this.settings = settings;
    this.#child = child;
  }

  /** Resolves when every client is subscribed. */
  static async start(settings: SwarmSettings): Promise<SwarmProcess> {
    const swarm = new SwarmProcess(settings, new Child('swarm', childScript('swarm')));
    try {
      await swarm.#child.call('connect', settings);
      return swarm;
    } catch (error) {
      await swarm.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  reach(target: Target): Promise<Reached> {
    return this.#child.call('reach', target);
  }

  check(request: CheckRequest): Promise<SwarmReport> {
    return this.#child.call('check', request);
  }

  stats(): Promise<StatsReport> {
    return this.#child.call('stats');
  }

  resetStats(): Promise<void> {
    return this.#child.call('resetStats');
  }

  /** Every client goes away without a goodbye. */
  leave(): Promise<void> {
    return this.#child.call('leave');
  }

  comeBack(): Promise<void> {
    return this.#child.call('comeBack');
  }

  watchSilence(): Promise<void> {
    return this.#child.call('watchSilence');
  }

  silence(exceptWorkers: readonly string[] = []): Promise<number> {
    return this.#child.call('silence', { exceptWorkers });
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
