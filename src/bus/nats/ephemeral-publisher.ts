import { setImmediate } from 'node:timers/promises';
import type { MsgHdrs } from '@nats-io/transport-node';
import { BusError } from '../bus-error.ts';
import type { Connection } from './connection.ts';
import { type Denied, describeDenied } from './permissions.ts';

/** Number of denied subjects to remember. Above it all are forgotten; at worst, a denied publication then counts as sent. */
const SUBJECTS_MAX = 10_000;

/**
 * Publishes to plain subjects. The server does not acknowledge, but it denies in order: when it has answered a request sent after a publication, it has
 * accepted or denied the publication. Publications of one loop turn share that request.
 */
export class EphemeralPublisher {
  readonly #connection: Connection;
  /** By subject, the number of the last denial. */
  readonly #denied = new Map<string, Denied & { readonly number: number }>();
  #denials = 0;
  #asking: Promise<void> | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    connection.onDenied(({ operation, subject }) => {
      if (operation !== 'publish') return;
      if (this.#denied.size >= SUBJECTS_MAX) this.#denied.clear();
      this.#denied.set(subject, { operation, subject, number: ++this.#denials });
    });
  }

  /** @throws BusError `bus_unreachable`, `publish_refused`, `permission_denied` */
  async publish(subject: string, payload: Uint8Array, headers: MsgHdrs | undefined): Promise<void> {
    // Not left to the client, which would keep it until it is connected again: an ephemeral publication is sent now or not at all.
    if (!this.#connection.connected) throw new BusError('bus_unreachable', 'NATS is not connected');
    const before = this.#denials;
    try {
      this.#connection.nc.publish(subject, payload, headers === undefined ? {} : { headers });
    } catch (cause) {
      throw new BusError('publish_refused', `${subject}: ${(cause as Error).message}`, { cause });
    }
    await this.#answered();
    const denied = this.#denied.get(subject);
    if (denied !== undefined && denied.number > before)
      throw new BusError('permission_denied', describeDenied(denied, this.#connection.names));
  }

  /** If the connection is lost meanwhile there is no answer. Delivery is at most once anyway. */
  #answered(): Promise<void> {
    this.#asking ??= Promise.resolve().then(async () => {
      this.#asking = undefined;
      await this.#connection.request(() => this.#connection.nc.flush()).catch(() => undefined);
      // The client reports denials through an iterator, some promises later than the answer.
      await setImmediate();
    });
    return this.#asking;
  }
}
