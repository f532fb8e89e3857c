import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import type { Publication } from '../publication.ts';
import type { Connection } from './connection.ts';
import type { PublicationReader } from './publication-reader.ts';
import { nanosecondsOf } from './stored-message.ts';

export interface LatestQuestion {
  /** Without wildcards, so each has one last message at most. */
  readonly subjects: readonly string[];
  /** The answer must reflect the log up to here. */
  readonly endOffset: number;
  readonly requestSubject: string;
  /** Of an answer. One message more may come. */
  readonly bytesMax: number;
  /** How long nothing may arrive. */
  readonly timeoutMs: number;
}

export type LatestAnswer =
  | {
      readonly kind: 'found';
      /** By subject; undefined: the last message is not a valid publication. */
      readonly found: ReadonlyMap<string, Publication | undefined>;
      /** Subjects that were left out because of the bytes. All others that are not among those found have no messages. */
      readonly leftOut: number;
    }
  /** A replica answered that is behind, or the connection is lost. */
  | { readonly kind: 'unknown' }
  /** The server does not know the request, or the node may not make it. */
  | { readonly kind: 'refused' };

export const UNKNOWN: LatestAnswer = { kind: 'unknown' };
const REFUSED: LatestAnswer = { kind: 'refused' };
/** None of the subjects has a message. Such an answer does not say what of the log it reflects. */
const NONE = { kind: 'none' } as const;
const END_OF_ANSWER = 204;
const NOT_FOUND = 404;

/**
 * Asks for the last messages of many subjects by one request, which servers know since 2.11. A replica may answer. If none of them has a message, it asks once
 * more, with a subject that has one: otherwise new topics would be asked for one by one.
 * @param knownSubject a subject with a message; undefined: there is none any more
 */
export async function readLatest(
  connection: Connection,
  reader: PublicationReader,
  question: LatestQuestion,
  knownSubject: () => Promise<string | undefined>,
): Promise<LatestAnswer> {
  const answer = await ask(connection, reader, question);
  if (answer.kind !== 'none') return answer;
  const known = await knownSubject();
  if (known === undefined) return UNKNOWN;
  const again = await ask(connection, reader, { ...question, subjects: [...question.subjects, known] });
  return again.kind === 'none' ? UNKNOWN : again;
}

/** Never rejects. */
function ask(connection: Connection, reader: PublicationReader, question: LatestQuestion): Promise<LatestAnswer | typeof NONE> {
  if (!connection.connected) return Promise.resolve(UNKNOWN);
  const { subjects, endOffset, requestSubject, bytesMax, timeoutMs } = question;
  const { nc } = connection;
  const inbox = connection.newInbox();
  const found = new Map<string, Publication | undefined>();
  let last: Added | undefined;
  return new Promise((resolve) => {
    const end = (answer: LatestAnswer | typeof NONE) => {
      clearTimeout(timer);
      for (const stop of stops) stop();
      subscription.unsubscribe();
      resolve(answer);
    };
    const receive = (message: Msg) => {
      timer.refresh();
      const headers = decoded(message);
      if (headers === undefined) return end(UNKNOWN);
      const added = addedTo(headers);
      if (headers.code === 0) {
        // One was lost on the way.
        if (last !== undefined && added.pending !== last.pending - 1) return end(UNKNOWN);
        last = added;
        found.set(added.subject, publicationOf(message, headers, added, reader));
      } else if (headers.code !== END_OF_ANSWER) end(headers.code === NOT_FOUND ? NONE : REFUSED);
      else if (last?.sequence !== added.lastSequence || added.upTo < endOffset) end(UNKNOWN);
      else end({ kind: 'found', found, leftOut: last.pending });
    };
    const subscription = nc.subscribe(inbox, { callback: (error, message) => (error === null ? receive(message) : end(REFUSED)) });
    const stops = [
      connection.onChange(() => end(UNKNOWN)),
      // A denied request gets no answer.
      connection.onDenied((denied) => denied.subject === requestSubject && end(REFUSED)),
    ];
    const timer = setTimeout(() => end(REFUSED), timeoutMs);
    try {
      nc.publish(requestSubject, JSON.stringify({ multi_last: subjects, max_bytes: bytesMax }), { reply: inbox });
    } catch {
      // Larger than what the server takes.
      end(REFUSED);
    }
  });
}

/** What the server adds to the headers of a message. */
interface Added {
  subject: string;
  sequence: number;
  time: string;
  /** Of a message: how many come after it, and those for which there is no room. (At the end of an answer servers count differently.) */
  pending: number;
  /** At the end of an answer: the sequence of its last message, and what it reflects. */
  lastSequence: number;
  upTo: number;
}

/** One pass: each lookup by name would list all names first. What a producer has set under the same name comes before what the server adds. */
function addedTo(headers: MsgHdrs): Added {
  const added: Added = { subject: '', sequence: 0, time: '', pending: 0, lastSequence: 0, upTo: 0 };
  for (const [name, values] of headers) {
    const value = values.at(-1) ?? '';
    if (name === 'Nats-Subject') added.subject = value;
    else if (name === 'Nats-Sequence') added.sequence = Number(value);
    else if (name === 'Nats-Time-Stamp') added.time = value;
    else if (name === 'Nats-Num-Pending') added.pending = Number(value);
    else if (name === 'Nats-Last-Sequence') added.lastSequence = Number(value);
    else if (name === 'Nats-UpTo-Sequence') added.upTo = Number(value);
  }
  return added;
}

function publicationOf({ data }: Msg, headers: MsgHdrs, { subject, sequence, time }: Added, reader: PublicationReader) {
  const delivery = { streamSeq: sequence, consumerSeq: 0, timestampNs: nanosecondsOf(time), pending: 0 };
  return reader.fromLog({ subject, headers, data }, delivery);
}

/** Undefined: there are none, or the client cannot decode what a producer has set. */
function decoded(message: Msg): MsgHdrs | undefined {
  try {
    return message.headers;
  } catch {
    return undefined;
  }
}
