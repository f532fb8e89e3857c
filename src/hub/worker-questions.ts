import type { HubEnd } from '../link/link.ts';
import type { ToHub, ToWorker } from '../link/messages.ts';

/** What a worker is asked, with the kind of its answer. */
interface Answers {
  readonly metricsWanted: 'metrics';
  readonly summaryWanted: 'summary';
  readonly reportWanted: 'report';
  readonly endWanted: 'ended';
  readonly revoked: 'ended';
  readonly connectionsWanted: 'connections';
  readonly sendToConnection: 'sent';
  readonly callConnection: 'called';
}
export type Asked = keyof Answers;
type Asking = Extract<ToWorker, { kind: Asked }>;
export type Question<K extends Asked> = Omit<Extract<Asking, { kind: K }>, 'requestId'>;
export type AnswerTo<K extends Asked> = Extract<ToHub, { kind: Answers[K] }>;

interface Waiting {
  readonly worker: HubEnd;
  resolve(answer: AnswerTo<Asked> | undefined): void;
}

/** Questions to single workers, and their answers. The caller bounds how many wait. */
export class WorkerQuestions {
  readonly #waiting = new Map<number, Waiting>();
  #lastRequest = 0;

  /** @returns undefined: the worker did not answer in time, or is gone */
  ask<K extends Asked>(worker: HubEnd, question: Question<K>, timeoutMs: number): Promise<AnswerTo<K> | undefined> {
    const requestId = ++this.#lastRequest;
    return new Promise((resolve) => {
      const finish = (answer: AnswerTo<Asked> | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(requestId);
        resolve(answer as AnswerTo<K> | undefined);
      };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      this.#waiting.set(requestId, { worker, resolve: finish });
      worker.send({ ...question, requestId } as unknown as Asking);
    });
  }

  answered(answer: AnswerTo<Asked>): void {
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
