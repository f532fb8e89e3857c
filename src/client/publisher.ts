import type { ServerMessage } from '../protocol/messages.ts';
import { nowMs } from './clock.ts';
import { encodeMessage } from './codec.ts';
import { CommandError, DisconnectedError, DroppedError, OutcomeUnknownError, QueueFullError, TimeoutError } from './errors.ts';
import { randomHex } from './platform.ts';
import { type Expired, PublishQueue, type PublishQueueOptions, type QueuedPublish } from './publish-queue.ts';
import { type RequestConnection, tooBig } from './requests.ts';
import type { Counters } from './stats.ts';
import { Timer } from './timer.ts';

export interface PublishOptions {
  /** What it is about, in a keyed topic. */
  readonly key?: string | undefined;
  /** Publications of a topic with the same key are stored once (within two minutes). Default: one of its own for each call. */
  readonly idempotencyKey?: string | undefined;
}

/** The log has it. */
export interface PublishAck {
  /** Undefined in ephemeral topics, as `offset` is. */
  readonly epoch: string | undefined;
  readonly offset: number | undefined;
  /** It was stored before, under the same idempotency key: by an earlier try of this call, or by another. */
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

/** Pause before a refused publish goes again, when the server names none. */
const RETRY_PAUSE_MS = 250;
/** Refusals that say that nothing was stored; with any other it may have been. */
const SURELY_NOT_STORED: readonly string[] = ['busy', 'rate_limited'];

/** Publishes with answers: made real with the connection, a timer and promises; {@link PublishQueue} decides. */
export class Publisher {
  readonly #connection: RequestConnection;
  readonly #counters: Counters;
  readonly #nextId: () => number;
  readonly #queue: PublishQueue<Waiting>;
  readonly #timer = new Timer(() => this.#pump());
  readonly #keyPrefix = randomHex(12);

  constructor(connection: RequestConnection, options: PublishQueueOptions, counters: Counters, nextId: () => number) {
    this.#connection = connection;
    this.#counters = counters;
    this.#nextId = nextId;
    this.#queue = new PublishQueue(options);
  }

  get waiting(): number {
    return this.#queue.size;
  }

  publish(topic: string, data: unknown, { key, idempotencyKey }: PublishOptions): Promise<PublishAck> {
    const ack = new Promise<PublishAck>((resolve, reject) => {
      const id = this.#nextId();
      const idempotency = idempotencyKey ?? `${this.#keyPrefix}-${id}`;
      const frame = encodeMessage({ type: 'publish', id, topic, data: data ?? null, key, idempotencyKey: idempotency });
      const result = this.#queue.add({ id, frame, idempotencyKey: idempotency, resolve, reject }, nowMs());
      if (result.kind === 'full') throw new QueueFullError('as many publishes wait as may');
      result.dropped?.reject(new DroppedError('a later publish took its place in a full queue'));
      this.#pump();
    });
    // Whoever does not look at the outcome does not want to be told by a crash.
    ack.catch(() => {});
    return ack;
  }

  /** @returns false when no publish with this id waits */
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

  /** The connection is gone, or (with a pause) the server dropped messages unread: whatever is unanswered goes again. */
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
      // Again while there is any: one that is too big leaves its place to the next.
      for (let due = this.#queue.takeDue(nowMs()); due.length > 0; due = this.#queue.takeDue(nowMs())) {
        for (const publish of due) this.#send(publish);
      }
    }
    const nextAtMs = this.#queue.nextAtMs(nowMs());
    if (nextAtMs === undefined) this.#timer.clear();
    else this.#timer.set(nextAtMs - nowMs());
  }

  #send({ id, frame }: Waiting): void {
    const bytesMax = this.#connection.messageBytesMax;
    // The server would close the connection for it, for good.
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
