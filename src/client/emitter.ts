import { soon } from './platform.ts';

/** Runs an application's callback. What it throws is thrown outside our own stack, as by the event loop: it is seen, and breaks nothing of ours. */
export function callSafely<E>(callback: (event: E) => void, event: E): void {
  try {
    callback(event);
  } catch (error) {
    soon(() => {
      throw error;
    });
  }
}

/** Named events. A listener that throws stops neither the others nor the library. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** @returns how to stop listening */
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A function of its own, so that the same listener may be added twice and removed once.
    const own = (event: Events[K]) => listener(event);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  has(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  emit<K extends keyof Events>(name: K, event: Events[K]): void {
    for (const listener of this.#listeners.get(name) ?? []) callSafely(listener as (event: Events[K]) => void, event);
  }
}
