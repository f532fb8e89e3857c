import type { Publication } from './bus.ts';

/**
 * Hands a publication over. What a receiver throws is a bug of the receiver: it surfaces as an uncaught exception, and never inside the bus,
 * where it would end the NATS client's read loop or swallow the publications behind it.
 */
export function deliver(onPublication: (publication: Publication) => void, publication: Publication): void {
  try {
    onPublication(publication);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
