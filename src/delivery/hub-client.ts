import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import { HookDenied } from '../hooks/denied.ts';
import type { Outcome } from '../hooks/outcome.ts';
import type { DisconnectQuestion } from '../hooks/types.ts';
import { ByteBudget } from '../link/byte-budget.ts';
import type { WorkerEnd } from '../link/link.ts';
import type { ToHub, ToWorker, UserConnection } from '../link/messages.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { namespaceOf } from '../protocol/topic.ts';
import type { Since } from '../recent/lives.ts';

type Asking = Extract<
  ToHub,
  { kind: 'publish' | 'read' | 'readLast' | 'readBetween' | 'placeOf' | 'recover' | 'call' | 'presenceAsk' | 'userConnected' | 'askHook' }
>;
type Question<K extends Asking['kind']> = Omit<Extract<Asking, { kind: K }>, 'kind' | 'requestId'>;
type AnswerKind = 'published' | 'items' | 'recovery' | 'place' | 'result' | 'serviceError' | 'presenceAnswer' | 'admitted' | 'hookAnswer';
type Answer<K extends AnswerKind> = Extract<ToWorker, { kind: K }>;
type AnyAnswer = Answer<AnswerKind>;

interface Waiting {
  resolve(answer: AnyAnswer): void;
  reject(error: ProtocolError): void;
}

/** Clients that get `busy`, because the budget for answers was used up for long, retry after this time. */
const BUSY_RETRY_MS = 1000;
/** Overhead of each publication in an answer: its key, its origin, and their encoding. */
const ITEM_OVERHEAD_BYTES = 256;
/** Of a member, about: few have an info of the greatest size. */
const MEMBER_BYTES = 256;

/**
 * Requests to the hub and their answers. Every request is answered or fails: the hub limits its own work in time, and when the link closes all waiting requests
 * fail. The number of waiting requests is limited by what a connection may request. The size of their answers is limited by a budget, from which each request
 * takes its bytes before it is sent. So nothing that clients request can fill the link.
 */
export class HubClient {
  readonly #link: WorkerEnd;
  readonly #waiting = new Map<number, Waiting>();
  readonly #budget: ByteBudget;
  readonly #config: Config;
  #nextRequest = 1;

  constructor(link: WorkerEnd, config: Config) {
    this.#link = link;
    this.#config = config;
    this.#budget = new ByteBudget(config.tuning.answers.answerBytesPerWorkerMax, config.tuning.answers.answersWaitingMax);
    link.onClose(() => this.#failAll());
  }

  /** @throws HookDenied; ProtocolError what the hub says */
  async publish(question: Question<'publish'>): Promise<Answer<'published'>> {
    const answer = await this.#ask<Answer<'published' | 'serviceError'>>({ kind: 'publish', ...question });
    if (answer.kind === 'serviceError') throw new HookDenied(answer.code, answer.message);
    return answer;
  }

  /** The client may publish no longer, also what waits for a hook or to be sanitized. */
  withdraw(loss: Omit<Extract<ToHub, { kind: 'withdraw' }>, 'kind'>): void {
    this.#link.send({ kind: 'withdraw', ...loss });
  }

  async askHook(question: Question<'askHook'>): Promise<Outcome> {
    return (await this.#ask<Answer<'hookAnswer'>>({ kind: 'askHook', ...question })).outcome;
  }

  tellHook(question: DisconnectQuestion): void {
    this.#link.send({ kind: 'tellHook', question });
  }

  /** Maximum bytes of answers that have not arrived yet, and the number of requests that wait for their turn. */
  get answers(): Pick<ByteBudget, 'bytes' | 'waiting'> {
    return this.#budget;
  }

  /** @throws ProtocolError `busy` and the errors of the hub */
  read(question: Question<'read'>): Promise<Answer<'items'>> {
    return this.#askMuch(this.#pageBytes(question), { kind: 'read', ...question });
  }

  /** @throws ProtocolError `busy` and the errors of the hub */
  readLast(question: Question<'readLast'>): Promise<Answer<'items'>> {
    return this.#askMuch(this.#pageBytes({ ...question, limit: question.count }), { kind: 'readLast', ...question });
  }

  /** @throws ProtocolError `busy` and the errors of the hub */
  readBetween(question: Question<'readBetween'>): Promise<Answer<'items'>> {
    return this.#askMuch(this.#pageBytes(question), { kind: 'readBetween', ...question });
  }

  /** The position after which comes what was stored at that time or later. @throws ProtocolError the errors of the hub */
  async placeOf(question: Question<'placeOf'>): Promise<Since> {
    const { epoch, offset } = await this.#ask<Answer<'place'>>({ kind: 'placeOf', ...question });
    return { epoch, offset };
  }

  /** @throws ProtocolError `busy` and the errors of the hub */
  recover(question: Question<'recover'>): Promise<Answer<'recovery'>> {
    return this.#askMuch(this.#config.tuning.recovery.recoveryBytesMax, { kind: 'recover', ...question });
  }

  call(question: Question<'call'>): Promise<Answer<'result' | 'serviceError'>> {
    return this.#ask({ kind: 'call', ...question });
  }

  /** @throws ProtocolError `busy` */
  presence(question: Question<'presenceAsk'>): Promise<Answer<'presenceAnswer'>> {
    const membersMax = namespaceOptions(this.#config, namespaceOf(question.topic))?.presenceMembersMax ?? 0;
    return this.#askMuch(membersMax * MEMBER_BYTES, { kind: 'presenceAsk', ...question });
  }

  /** A connection of a user waits for the hub's word. */
  admit(connection: UserConnection): Promise<Answer<'admitted'>> {
    return this.#ask({ kind: 'userConnected', ...connection });
  }

  userConnected(connection: UserConnection): void {
    this.#link.send({ kind: 'userConnected', ...connection });
  }

  userDisconnected(connection: Pick<UserConnection, 'user' | 'connectionId'>): void {
    this.#link.send({ kind: 'userDisconnected', ...connection });
  }

  answered(answer: AnyAnswer | Extract<ToWorker, { kind: 'failed' }>): void {
    const waiting = this.#waiting.get(answer.requestId);
    this.#waiting.delete(answer.requestId);
    if (answer.kind === 'failed') waiting?.reject(failureOf(answer));
    else waiting?.resolve(answer);
  }

  /** At most what was requested; a single publication may be larger. */
  #pageBytes({ topic, bytesMax, limit }: { readonly topic: FeedName; readonly bytesMax: number; readonly limit: number }): number {
    const oneBytes = namespaceOptions(this.#config, namespaceOf(topic))?.maxPayloadBytes ?? 0;
    return Math.max(bytesMax, oneBytes) + ITEM_OVERHEAD_BYTES * Math.min(limit, Math.ceil(bytesMax / ITEM_OVERHEAD_BYTES));
  }

  async #askMuch<A extends AnyAnswer>(bytes: number, question: Omit<Asking, 'requestId'>): Promise<A> {
    const release = await this.#budget.take(bytes);
    if (release === undefined) {
      const { answersWaitingMax } = this.#config.tuning.answers;
      throw new ProtocolError('busy', `${answersWaitingMax} requests are already waiting`, { retryAfterMs: BUSY_RETRY_MS });
    }
    try {
      return await this.#ask(question);
    } finally {
      release();
    }
  }

  #ask<A extends AnyAnswer>(question: Omit<Asking, 'requestId'>): Promise<A> {
    const requestId = this.#nextRequest++;
    return new Promise<A>((resolve, reject) => {
      this.#waiting.set(requestId, { resolve: (answer) => resolve(answer as A), reject });
      this.#link.send({ ...question, requestId } as Asking);
    });
  }

  #failAll(): void {
    for (const { reject } of this.#waiting.values()) reject(new ProtocolError('unavailable', 'the node is shutting down'));
    this.#waiting.clear();
  }
}

function failureOf({ code, message }: Extract<ToWorker, { kind: 'failed' }>): ProtocolError {
  return new ProtocolError(code, message, code === 'busy' ? { retryAfterMs: BUSY_RETRY_MS } : {});
}
