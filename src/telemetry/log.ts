import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { redactedPaths, scrubLine } from './redact.ts';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level: string;
  /** Readable for people; formatted in this process. */
  readonly pretty: boolean;
  /** Added to every line. */
  readonly bindings?: Readonly<Record<string, unknown>>;
}

/**
 * Maximum number of lines that wait for a reader of stdout that has stopped reading. Above it lines are dropped, because a node that waits for its log stops
 * broadcasting.
 */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

/**
 * The only function that creates a logger. Fields with the name of a secret are redacted down to four levels. Anything that looks like a token or like
 * credentials in a URL is removed from the finished line.
 *
 * @param stream where lines go; stdout by default
 */
export function createLogger(options: LogOptions, stream?: DestinationStream): Logger {
  return pino(
    {
      level: options.level,
      base: { ...options.bindings },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      redact: { paths: redactedPaths(), censor: '(redacted)' },
      hooks: { streamWrite: scrubLine },
    },
    options.pretty ? prettyStream(stream) : (stream ?? destination({ dest: 1, sync: false, maxLength: WAITING_BYTES_MAX })),
  );
}

function prettyStream(stream: DestinationStream | undefined): DestinationStream {
  return PinoPretty({
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    // Synchronous, because a person watches, and the last lines before an exit must appear.
    ...(stream === undefined ? { destination: 1, sync: true } : { destination: stream as never, colorize: false }),
  });
}
