import type { StoredMsg } from '@nats-io/jetstream';
import type { Publication } from '../publication.ts';
import type { PublicationReader } from './publication-reader.ts';

/** A single message from the log. Its time is text with up to nine decimals. */
export function publicationOf(stored: StoredMsg, reader: PublicationReader): Publication | undefined {
  const timestampNs = nanosecondsOf(stored.timestamp);
  const message = {
    subject: stored.subject,
    // Only when it is asked for: the client may not be able to decode what a producer has set.
    get headers() {
      return stored.header;
    },
    data: stored.data,
  };
  return reader.fromLog(message, { streamSeq: stored.seq, consumerSeq: 0, timestampNs, pending: 0 });
}

/** `2026-03-01T09:30:00.123456789Z`, precise to about 256 ns. */
export function nanosecondsOf(time: string): number {
  const decimals = /\.(\d{1,9})/.exec(time)?.[1] ?? '';
  const wholeMs = Date.parse(time.replace(/\.\d+/, ''));
  return wholeMs * 1e6 + Number(decimals.padEnd(9, '0'));
}
