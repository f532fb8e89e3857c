import type { ToHub, ToWorker } from './messages.ts';

/**
 * One end of the connection between a hub and a worker. Messages arrive in the order in which they were sent. Everything sent in one loop turn is written at
 * once at the end of the turn.
 */
export interface Link<Out, In> {
  send(message: Out): void;
  /** Called with all messages of one read. It must be set before the first loop turn ends. */
  onMessages(listener: (messages: readonly In[]) => void): void;
  /** Called once, when the other end has closed or {@link close} was called. */
  onClose(listener: (reason: string) => void): void;
  /** Bytes sent but not yet read by the other end; in process, an estimate. */
  readonly queuedBytes: number;
  /** Closes this end. What was sent before still reaches the other end; nothing more is delivered to this one. */
  close(): void;
}

export type WorkerEnd = Link<ToHub, ToWorker>;
export type HubEnd = Link<ToWorker, ToHub>;
