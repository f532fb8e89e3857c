import { Child } from '../../loadtest/core/rpc.ts';
import { childScript } from './build.ts';
import type {
  CrowdReport,
  CrowdSettings,
  CrowdState,
  DeliveryAnswer,
  DeliveryQuestion,
  OpenRequest,
  UserConnections,
} from './people/settings.ts';

/** A crowd in a process of its own. */
export class CrowdProcess {
  readonly settings: CrowdSettings;
  readonly #child: Child;

  private constructor(settings: CrowdSettings, child: Child) {
    this.settings = settings;
    this.#child = child;
  }

  /** Resolves when every connection is open and subscribed. */
  static async start(settings: CrowdSettings): Promise<CrowdProcess> {
    const crowd = new CrowdProcess(settings, new Child('crowd', childScript('people')));
    try {
      await crowd.#child.call('connect', settings);
      return crowd;
    } catch (error) {
      await crowd.stop();
      throw error;
    }
  }

  state(): Promise<CrowdState> {
    return this.#child.call('state');
  }

  leave(users: readonly string[]): Promise<void> {
    return this.#child.call('leave', { users });
  }

  comeBack(users: readonly string[]): Promise<void> {
    return this.#child.call('comeBack', { users });
  }

  open(request: OpenRequest): Promise<void> {
    return this.#child.call('open', request);
  }

  async connectionsOf(user: string): Promise<UserConnections['connections']> {
    return (await this.#child.call<UserConnections>('connectionsOf', { user })).connections;
  }

  delivered(question: DeliveryQuestion): Promise<DeliveryAnswer> {
    return this.#child.call('delivered', question);
  }

  callAll(method: string, timeoutMs: number): Promise<number> {
    return this.#child.call('callAll', { method, timeoutMs });
  }

  setNatsAway(away: boolean): Promise<void> {
    return this.#child.call('setNatsAway', { away });
  }

  report(sent: ReadonlyMap<number, string>): Promise<CrowdReport> {
    return this.#child.call('report', { sent: [...sent] });
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
