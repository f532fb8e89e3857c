/**
 * Passes on what the bus has received. An exception of a receiver is a bug in the receiver. It becomes an uncaught exception, and is never thrown inside the
 * bus, where it would end the NATS client's read loop or lose the messages after it.
 */
export function deliver<T>(receive: (received: T) => void, received: T): void {
  try {
    receive(received);
  } catch (error) {
    throwLater(error);
  }
}

/** The same for callers that invoke the receiver themselves. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
