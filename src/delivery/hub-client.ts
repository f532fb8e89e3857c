import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import { ByteBudget } from '../link/byte-budget.ts';
import type { WorkerEnd } from '../link/link.ts';
import type { ToHub, ToWorker, UserConnection } from '../link/messages.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { namespaceOf, type Topic } from '../protocol/topic.ts';

type Asking = Extract<ToHub, { kind: 'publish' | 'read' | 'readLast' | 'recover' | 'call' | 'presenceAsk' | 'userConnected' }>;
type Question<K extends Asking['kind']> = Omit<Extract<Asking, { kind: K }>, 'kind' | 'requestId'>;
type Answer<K extends 'published' | 'items' | 'recovery' | 'result' | 'serviceError' | 'presenceAnswer' | 'admitted'> = Extract<
  ToWorker,
  { kind: K }
>;
type AnyAnswer = Answer<'published' | 'items' | 'recovery' | 'result' | 'serviceError' | 'presenceAnswer' | 'admitted'>;

interface Waiting {
  resolve(answer: AnyAnswer): void;
  reject(error: ProtocolError): void;
}

/** A node whose budget for answers has been taken for so long that nobody more can wait is asked again after this. */
const BUSY_RETRY_MS = 1000;
/** Of each publication of an answer, beside its data: its key, its origin, and how they are written. */
const ITEM_OVERHEAD_BYTES = 256;
/** Of a member, about: few have an info of the greatest size. */
const MEMBER_BYTES = 256;

/**
 * Questions to the hub and their answers. Every question is answered or fails: the hub bounds its own work in time, and when the link closes all
 * that wait fail. How many wait is bounded by the limits on what a connection may ask; how much their answers may bring at once, by a budget that each
 * question takes its bytes from before it is sent. So nothing that clients ask for can fill the link.
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

  publish(question: Question<'publish'>): Promise<Answer<'published'>> {
    return this.#ask({ kind: 'publish', ...question });
  }

  /** What answers may bring that have not come yet, and how many wait for their turn. */
  get answers(): Pick<ByteBudget, 'bytes' | 'waiting'> {
    return this.#budget;
  }

  /** @throws ProtocolError `busy` and what the hub says */
  read(question: Question<'read'>): Promise<Answer<'items'>> {
    return this.#askMuch(this.#pageBytes(question), { kind: 'read', ...question });
  }

  /** @throws ProtocolError `busy` and what the hub says */
  readLast(question: Question<'readLast'>): Promise<Answer<'items'>> {
    return this.#askMuch(this.#pageBytes({ ...question, limit: question.count }), { kind: 'readLast', ...question });
  }

  /** @throws ProtocolError `busy` and what the hub says */
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

  /** At most what was asked for; a single publication may be larger. */
  #pageBytes({ topic, bytesMax, limit }: { readonly topic: Topic; readonly bytesMax: number; readonly limit: number }): number {
    const oneBytes = namespaceOptions(this.#config, namespaceOf(topic))?.maxPayloadBytes ?? 0;
    return Math.max(bytesMax, oneBytes) + ITEM_OVERHEAD_BYTES * Math.min(limit, Math.ceil(bytesMax / ITEM_OVERHEAD_BYTES));
  }

  async #askMuch<A extends AnyAnswer>(bytes: number, question: Omit<Asking, 'requestId'>): Promise<A> {
    const release = await this.#budget.take(bytes);
    if (release === undefined) {
      const { answersWaitingMax } = this.#config.tuning.answers;
      throw new ProtocolError('busy', `${answersWaitingMax} requests wait for their turn already`, { retryAfterMs: BUSY_RETRY_MS });
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
    for (const { reject } of this.#waiting.values()) reject(new ProtocolError('unavailable', 'the node is going away'));
    this.#waiting.clear();
  }
}

function failureOf({ code, message }: Extract<ToWorker, { kind: 'failed' }>): ProtocolError {
  return new ProtocolError(code, message, code === 'busy' ? { retryAfterMs: BUSY_RETRY_MS } : {});
}
