import type { ServerMessage } from '../protocol/messages.ts';
import type { Tags } from '../protocol/tags.ts';
import { nowMs } from './clock.ts';
import { encodeMessage } from './codec.ts';
import { CommandError, DisconnectedError, DroppedError, OutcomeUnknownError, QueueFullError, TimeoutError } from './errors.ts';
import { handled, randomText } from './platform.ts';
import { type Expired, PublishQueue, type PublishQueueOptions, type QueuedPublish } from './publish-queue.ts';
import { type RequestConnection, tooBig } from './requests.ts';
import type { Counters } from './stats.ts';
import { Timer } from './timer.ts';

export interface PublishOptions {
  /** The key, in a keyed topic. */
  readonly key?: string | undefined;
  /** Publications of a topic with the same key are stored once (within two minutes). Default: a new one for each call. */
  readonly idempotencyKey?: string | undefined;
  /** In a document namespace: the data is the whole document, not a merge patch. The token must permit it. */
  readonly image?: boolean | undefined;
  /** False: to all but this connection. */
  readonly echo?: boolean | undefined;
  /** True: it is not kept, and receivers that do not keep up now do not get it. Only in ephemeral namespaces. */
  readonly volatile?: boolean | undefined;
  /** By which subscribers filter, 8 at most. Names of `a-z 0-9 _ -`, texts of 64 printable ASCII characters at most. */
  readonly tags?: Tags | undefined;
}

/** A publication of {@link Client.publishMany}. */
export interface OutgoingPublication extends PublishOptions {
  readonly topic: string;
  readonly data: unknown;
}

/** The log has stored it. */
export interface PublishAck {
  /** Undefined in ephemeral topics, like `offset`. */
  readonly epoch: string | undefined;
  readonly offset: number | undefined;
  /** It was already stored with the same idempotency key: by an earlier attempt of this call, or by another call. */
  readonly duplicate: boolean;
  readonly idempotencyKey: string;
}

interface Waiting extends QueuedPublish {
  readonly idempotencyKey: string;
  /** The server's last refusal. */
  refusal?: CommandError;
  resolve(ack: PublishAck): void;
  reject(error: Error): void;
}

/** Pause before a refused publish is sent again, if the server names none. */
const RETRY_PAUSE_MS = 250;
/** With these refusals nothing was stored; with others it may have been. */
const SURELY_NOT_STORED: readonly string[] = ['busy', 'rate_limited', 'hook_failed'];

/** Publishes with answers: executes the decisions of {@link PublishQueue} with the connection, a timer and promises. */
export class Publisher {
  readonly #connection: RequestConnection;
  readonly #counters: Counters;
  readonly #nextId: () => number;
  readonly #queue: PublishQueue<Waiting>;
  readonly #timer = new Timer(() => this.#pump());
  readonly #keyPrefix = randomText();

  constructor(connection: RequestConnection, options: PublishQueueOptions, counters: Counters, nextId: () => number) {
    this.#connection = connection;
    this.#counters = counters;
    this.#nextId = nextId;
    this.#queue = new PublishQueue(options);
  }

  get waiting(): number {
    return this.#queue.size;
  }

  publish(topic: string, data: unknown, { key, idempotencyKey: given, image, echo, volatile, tags }: PublishOptions): Promise<PublishAck> {
    const start = (resolve: (ack: PublishAck) => void, reject: (error: Error) => void) => {
      const id = this.#nextId();
      const idempotencyKey = given ?? `${this.#keyPrefix}-${id}`;
      const frame = encodeMessage({ type: 'publish', id, topic, data: data ?? null, key, image, idempotencyKey, echo, volatile, tags });
      const result = this.#queue.add({ id, frame, idempotencyKey, resolve, reject }, nowMs());
      if (result.kind === 'full') throw new QueueFullError('the publish queue is full');
      result.dropped?.reject(new DroppedError('a later publish took its place in a full queue'));
      this.#pump();
    };
    return handled(() => new Promise(start));
  }

  /** @returns false if no publish with this id waits */
  answered(id: number, message: ServerMessage<'published'> | ServerMessage<'error'>): boolean {
    if (message.type === 'error' && message.retryable) {
      const error = new CommandError(message);
      const known = this.#queue.get(id);
      if (known === undefined) return false;
      known.refusal = error;
      this.#queue.refused(id, error.retryAfterMs ?? RETRY_PAUSE_MS, !SURELY_NOT_STORED.includes(message.code), nowMs());
      this.#pump();
      return true;
    }
    const publish = this.#queue.settle(id);
    if (publish === undefined) return false;
    if (message.type === 'error') publish.reject(new CommandError(message));
    else {
      const { epoch, offset, duplicate } = message;
      this.#counters.published++;
      if (duplicate) this.#counters.publishDuplicates++;
      publish.resolve({ epoch, offset, duplicate, idempotencyKey: publish.idempotencyKey });
    }
    this.#pump();
    return true;
  }

  connected(): void {
    this.#pump();
  }

  /** The connection was lost, or (with a pause) the server dropped messages without reading them: everything unanswered is sent again. */
  unanswered(pauseMs = 0): void {
    this.#queue.allUnanswered(pauseMs === 0 ? 0 : nowMs() + pauseMs);
    this.#pump();
  }

  failAll(reason: string): void {
    this.#timer.clear();
    for (const { publish, mayBeStored } of this.#queue.takeAll()) {
      publish.reject(mayBeStored ? outcomeUnknown(publish, reason) : new DisconnectedError(reason));
    }
  }

  #pump(): void {
    for (const expired of this.#queue.takeExpired(nowMs())) expired.publish.reject(expiredError(expired));
    if (this.#connection.isConnected) {
      // Repeat: one that is too big makes room for the next.
      let due: Waiting[];
      do {
        due = this.#queue.takeDue(nowMs());
        for (const publish of due) this.#send(publish);
      } while (due.length > 0);
    }
    const nextAtMs = this.#queue.nextAtMs(nowMs());
    if (nextAtMs === undefined) this.#timer.clear();
    else this.#timer.set(nextAtMs - nowMs());
  }

  #send({ id, frame }: Waiting): void {
    const bytesMax = this.#connection.messageBytesMax;
    // The server would close the connection permanently for it.
    if (frame.length > bytesMax) this.#queue.settle(id)?.reject(tooBig(frame.length, bytesMax));
    else this.#connection.send(frame);
  }
}

function expiredError({ publish, mayBeStored }: Expired<Waiting>): Error {
  if (mayBeStored) return outcomeUnknown(publish, 'not answered within its budget');
  return publish.refusal ?? new TimeoutError('could not be sent within its budget; it is not stored');
}

function outcomeUnknown({ idempotencyKey, refusal }: Waiting, reason: string): OutcomeUnknownError {
  return new OutcomeUnknownError(idempotencyKey, `${reason}: it may or may not be stored`, { cause: refusal });
}
