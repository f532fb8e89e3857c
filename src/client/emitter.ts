import { soon } from './platform.ts';

/** Runs an application's callback. An exception is rethrown outside our stack, by the event loop: it is visible, and does not affect this library. */
export function callSafely<E>(callback: (event: E) => void, event: E): void {
  try {
    callback(event);
  } catch (error) {
    soon(() => {
      throw error;
    });
  }
}

/** Named events. A listener that throws affects neither the other listeners nor the library. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** @returns a function that stops listening */
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A separate function, so that the same listener can be added twice and removed once.
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
