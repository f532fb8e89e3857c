import { setImmediate } from 'node:timers/promises';
import type { MsgHdrs } from '@nats-io/transport-node';
import { BusError } from '../bus.ts';
import type { Connection } from './connection.ts';
import { type Denied, describeDenied } from './permissions.ts';

/** Denied subjects remembered; past it they are all forgotten, which at worst takes a publication for one that was sent. */
const SUBJECTS_MAX = 10_000;

/**
 * Publishes to plain subjects. The server acknowledges nothing, but denies in order: once it has answered what was sent behind a publication,
 * it has taken the publication or said no. Publications of one loop turn share that question.
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
    // Not left to the client, which would keep it until it is connected again: an ephemeral publication is now or never.
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

  /** A connection that is lost meanwhile has no answer: at most once is all that was promised. */
  #answered(): Promise<void> {
    this.#asking ??= Promise.resolve().then(async () => {
      this.#asking = undefined;
      await this.#connection.request(() => this.#connection.nc.flush()).catch(() => undefined);
      // The client tells of denials through an iterator, a few promises later than of the answer.
      await setImmediate();
    });
    return this.#asking;
  }
}
