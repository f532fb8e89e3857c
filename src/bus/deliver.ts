/**
 * Hands over what the bus has received. What a receiver throws is a bug of the receiver: it surfaces as an uncaught exception, and never inside the bus,
 * where it would end the NATS client's read loop or swallow what comes behind it.
 */
export function deliver<T>(receive: (received: T) => void, received: T): void {
  try {
    receive(received);
  } catch (error) {
    throwLater(error);
  }
}

/** The same for whoever calls the receiver itself. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
