import type { ToHub, ToWorker } from './messages.ts';

/**
 * One end of the connection between a hub and a worker. Messages arrive in the order in which they were sent.
 * What is sent in one loop turn leaves in one write at the end of the turn.
 */
export interface Link<Out, In> {
  send(message: Out): void;
  /** Called with all messages of one read; set before the first loop turn ends. */
  onMessages(listener: (messages: readonly In[]) => void): void;
  /** Called once when the other end is gone or {@link close} was called. */
  onClose(listener: (reason: string) => void): void;
  /** Bytes sent but not yet taken by the other end; in process, about. */
  readonly queuedBytes: number;
  /** What was sent before reaches the other end; nothing more is delivered to this one. */
  close(): void;
}

export interface WorkerEnd extends Link<ToHub, ToWorker> {
  /** Nothing more is delivered to this end, but for what it had read already, until {@link resume}; what is sent to it waits at the other end. */
  pause(): void;
  resume(): void;
}
export type HubEnd = Link<ToWorker, ToHub>;
