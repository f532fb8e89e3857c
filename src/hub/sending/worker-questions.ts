import type { HubEnd } from '../../link/link.ts';
import type { ToHub, ToWorker } from '../../link/messages.ts';

type Asking = Extract<ToWorker, { kind: 'sendToConnection' | 'callConnection' }>;
type Question<K extends Asking['kind']> = Omit<Extract<Asking, { kind: K }>, 'requestId'>;
type Answers = { sendToConnection: 'sent'; callConnection: 'called' };
type AnswerTo<K extends Asking['kind']> = Extract<ToHub, { kind: Answers[K] }>;
type Answer = AnswerTo<Asking['kind']>;

interface Waiting {
  readonly worker: HubEnd;
  resolve(answer: Answer | undefined): void;
}

/** Questions about single connections, to the worker that has them. The caller bounds how many wait. */
export class WorkerQuestions {
  readonly #waiting = new Map<number, Waiting>();
  #lastRequest = 0;

  /** @returns undefined: the worker did not answer in time, or is gone */
  ask<K extends Asking['kind']>(worker: HubEnd, question: Question<K>, timeoutMs: number): Promise<AnswerTo<K> | undefined> {
    const requestId = ++this.#lastRequest;
    return new Promise((resolve) => {
      const finish = (answer: Answer | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(requestId);
        resolve(answer as AnswerTo<K> | undefined);
      };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      this.#waiting.set(requestId, { worker, resolve: finish });
      worker.send({ ...question, requestId } as unknown as Asking);
    });
  }

  answered(answer: Answer): void {
    this.#waiting.get(answer.requestId)?.resolve(answer);
  }

  /** The worker is gone, with its connections. */
  removeWorker(worker: HubEnd): void {
    for (const waiting of [...this.#waiting.values()]) if (waiting.worker === worker) waiting.resolve(undefined);
  }

  stop(): void {
    for (const { resolve } of [...this.#waiting.values()]) resolve(undefined);
  }
}
