import { Child } from '../../loadtest/core/rpc.ts';
import { childScript } from './build.ts';
import type {
  CallsReport,
  CallsSettings,
  FramesReport,
  FramesSettings,
  HalfOpenReport,
  HalfOpenSettings,
  RequestsReport,
  RequestsSettings,
} from './flood/settings.ts';

/** A client that sends too much, in a process of its own. */
export class FloodProcess {
  readonly #child = new Child('flooder', childScript('flood'));

  /** Resolves when the time is over. */
  frames(settings: FramesSettings): Promise<FramesReport> {
    return this.#child.call('frames', settings);
  }

  /** Resolves when the time is over. */
  calls(settings: CallsSettings): Promise<CallsReport> {
    return this.#child.call('calls', settings);
  }

  /** Resolves when the time is over. */
  requests(settings: RequestsSettings): Promise<RequestsReport> {
    return this.#child.call('requests', settings);
  }

  startHalfOpen(settings: HalfOpenSettings): Promise<void> {
    return this.#child.call('startHalfOpen', settings);
  }

  halfOpen(): Promise<HalfOpenReport> {
    return this.#child.call('halfOpenReport');
  }

  stopHalfOpen(): Promise<void> {
    return this.#child.call('stopHalfOpen');
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
