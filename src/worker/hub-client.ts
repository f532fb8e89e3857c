import type { WorkerEnd } from '../link/link.ts';
import type { ToHub, ToWorker } from '../link/messages.ts';
import { ProtocolError } from '../protocol/errors.ts';

type Asking = Extract<ToHub, { kind: 'publish' | 'read' | 'readLast' | 'recover' | 'call' }>;
type Question<K extends Asking['kind']> = Omit<Extract<Asking, { kind: K }>, 'kind' | 'requestId'>;
type Answer<K extends 'published' | 'items' | 'recovery' | 'result'> = Extract<ToWorker, { kind: K }>;
type AnyAnswer = Answer<'published'> | Answer<'items'> | Answer<'recovery'> | Answer<'result'>;

interface Waiting {
  resolve(answer: AnyAnswer): void;
  reject(error: ProtocolError): void;
}

/**
 * Questions to the hub and their answers. Every question is answered or fails: the hub bounds its own work in time, and when the link closes all
 * that wait fail. How many wait is bounded by the limits on what a connection may ask.
 */
export class HubClient {
  readonly #link: WorkerEnd;
  readonly #waiting = new Map<number, Waiting>();
  #nextRequest = 1;

  constructor(link: WorkerEnd) {
    this.#link = link;
    link.onClose(() => this.#failAll());
  }

  publish(question: Question<'publish'>): Promise<Answer<'published'>> {
    return this.#ask({ kind: 'publish', ...question });
  }

  read(question: Question<'read'>): Promise<Answer<'items'>> {
    return this.#ask({ kind: 'read', ...question });
  }

  readLast(question: Question<'readLast'>): Promise<Answer<'items'>> {
    return this.#ask({ kind: 'readLast', ...question });
  }

  recover(question: Question<'recover'>): Promise<Answer<'recovery'>> {
    return this.#ask({ kind: 'recover', ...question });
  }

  call(question: Question<'call'>): Promise<Answer<'result'>> {
    return this.#ask({ kind: 'call', ...question });
  }

  answered(answer: AnyAnswer | Extract<ToWorker, { kind: 'failed' }>): void {
    const waiting = this.#waiting.get(answer.requestId);
    this.#waiting.delete(answer.requestId);
    if (answer.kind === 'failed') waiting?.reject(new ProtocolError(answer.code, answer.message));
    else waiting?.resolve(answer);
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
