import type { BusNotice } from '../bus.ts';
import type { ConnectionEvents } from './connection.ts';
import type { NatsNames } from './names.ts';
import { OnceEach } from './once-each.ts';
import { type Denied, describeDenied, neededFor } from './permissions.ts';

/** A connection that lasts this long counts as stable: NATS did not refuse it again at once. */
const STABLE_MS = 10_000;

/** Tells an operator what NATS refuses, each thing once: why the node is not taken (back), until a connection is stable; and what it may not do. */
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
    if (this.#refusals.isNew(reason)) this.#onNotice('warn', `NATS at ${this.#servers} does not take this node: ${reason}`);
  }

  onDenied(denied: Denied): void {
    // One line for all topics of a namespace.
    if (this.#denials.isNew(`${denied.operation} ${neededFor(denied, this.#names)}`)) {
      this.#onNotice('warn', describeDenied(denied, this.#names));
    }
  }

  /** Something that was denied is permitted again: it is worth another line when it is denied once more. */
  permitted(subject: string): void {
    this.#denials.clear();
    this.#onNotice('info', `NATS permits this node subscribing to "${subject}" again`);
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
