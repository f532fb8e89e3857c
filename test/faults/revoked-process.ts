import { Child } from '../../loadtest/core/rpc.ts';
import { childScript } from './build.ts';
import type { RevokedReport, RevokedSettings, RevokeRequest } from './revoked/settings.ts';

/** A client whose token is revoked, in a process that has nothing else to do: one with hundreds of clients reads a close after all that came before it. */
export class RevokedProcess {
  readonly #child = new Child('revoked', childScript('revoked'));

  connect(settings: RevokedSettings): Promise<void> {
    return this.#child.call('connect', settings);
  }

  revoke(request: RevokeRequest): Promise<RevokedReport> {
    return this.#child.call('revoke', request);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
