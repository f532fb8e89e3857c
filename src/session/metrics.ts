import type { ErrorCode } from '../protocol/errors.ts';
import type { ConnectLimit } from './connect-limits.ts';

interface Count {
  inc(): void;
}

/** What this folder counts; the worker has the metrics. */
export interface SessionMetrics {
  readonly controlFramesIn: Count;
  /** Connections closed because they sent more than allowed. */
  readonly floods: Count;
  /** @param limit the setting that refused a new client */
  connectRefused(limit: ConnectLimit): void;
  opened(): void;
  closed(code: number): void;
  bytesIn(bytes: number): void;
  messageIn(type: string): void;
  /** An error was sent to a client. */
  error(code: ErrorCode): void;
}
