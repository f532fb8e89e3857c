import type { BusNotice } from '../bus.ts';
import type { ConnectionEvents } from './connection.ts';
import type { NatsNames } from './names.ts';
import { OnceEach } from './once-each.ts';
import { type Denied, describeDenied, neededFor } from './permissions.ts';

/** A connection that lasts this long counts as stable: NATS did not refuse it again immediately. */
const STABLE_MS = 10_000;

/** Logs what NATS refuses, each reason once: why it refuses the node, until a connection is stable; and which permissions it denies. */
export class TroubleLog implements ConnectionEvents {
  readonly #servers: string;
  readonly #names: NatsNames;
  readonly #onNotice: (level: BusNotice['level'], message: string) => void;
  readonly #refusals = new OnceEach();
  readonly #denials = new OnceEach();
  #stable: NodeJS.Timeout | undefined;

  constructor(servers: string, names: NatsNames, onNotice: (level: BusNotice['level'], message: string) => void) {
    this.#servers = servers;
    this.#names = names;
    this.#onNotice = onNotice;
  }

  onRefused(reason: string): void {
    if (this.#refusals.isNew(reason)) this.#onNotice('warn', `NATS at ${this.#servers} refuses this node: ${reason}`);
  }

  onDenied(denied: Denied): void {
    // One line for all topics of a namespace.
    if (this.#denials.isNew(`${denied.operation} ${neededFor(denied, this.#names)}`)) {
      this.#onNotice('warn', describeDenied(denied, this.#names));
    }
  }

  /** A denied permission is given again. If it is denied again later, that is logged again. */
  permitted(subject: string): void {
    this.#denials.clear();
    this.#onNotice('info', `NATS permits this node again to subscribe to "${subject}"`);
  }

  changed(connected: boolean): void {
    clearTimeout(this.#stable);
    this.#denials.clear();
    if (connected) this.#stable = setTimeout(() => this.#refusals.clear(), STABLE_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#stable);
  }
}
