import { Child } from '../../loadtest/core/rpc.ts';
import type { AttackReport, AttackSettings } from './attack/settings.ts';
import { childScript } from './build.ts';

/** A malicious client, in a process of its own. */
export class AttackProcess {
  readonly #child = new Child('attacker', childScript('attack'));

  /** Resolves when the time is over. */
  attack(settings: AttackSettings): Promise<AttackReport> {
    return this.#child.call('attack', settings);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
