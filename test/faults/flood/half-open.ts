import net from 'node:net';
import type { HalfOpenReport, HalfOpenSettings } from './settings.ts';

/** A connection that was cut sooner was never accepted. */
const REFUSED_WITHIN_MS = 1000;
const AGAIN_AFTER_MS = 100;

/** Keeps so many requests half open until it is stopped. */
export class HalfOpen {
  readonly #settings: HalfOpenSettings;
  readonly #sockets = new Set<net.Socket>();
  readonly #counts = { opened: 0, refused: 0 };
  readonly #trickle: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(settings: HalfOpenSettings) {
    this.#settings = settings;
    for (let i = 0; i < settings.count; i++) this.#open(i);
    if (settings.trickleMs > 0) this.#trickle = setInterval(() => this.#write(), settings.trickleMs);
  }

  get report(): HalfOpenReport {
    return { open: this.#sockets.size, ...this.#counts };
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#trickle);
    for (const socket of this.#sockets) socket.destroy();
  }

  #open(index: number): void {
    if (this.#stopped) return;
    const { port, addresses } = this.#settings;
    const startMs = performance.now();
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: addresses[index % addresses.length] });
    socket.on('error', () => undefined);
    socket.on('connect', () => {
      this.#sockets.add(socket);
      this.#counts.opened++;
      socket.write('GET /ws HTTP/1.1\r\nHost: a\r\nX-Slow: ');
      socket.resume();
    });
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (performance.now() - startMs < REFUSED_WITHIN_MS) this.#counts.refused++;
      setTimeout(() => this.#open(index), AGAIN_AFTER_MS);
    });
  }

  #write(): void {
    for (const socket of this.#sockets) socket.write('x');
  }
}
