import type { HubEnd } from '../link/link.ts';
import type { ToHub, TopicsWanted, ToWorker, WorkerReport } from '../link/messages.ts';

type Question = Extract<ToWorker, { kind: 'metricsWanted' | 'reportWanted' }>;
type Answer = Extract<ToHub, { kind: 'metrics' | 'report' }>;

const TIMEOUT_MS = 1000;

/** Asks the workers how they are. One that does not answer within a second is left out of the answer. */
export class WorkerReports {
  readonly #workers: ReadonlySet<HubEnd>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastRequest = 0;

  constructor(workers: ReadonlySet<HubEnd>) {
    this.#workers = workers;
  }

  /** Everything that they count, as prom-client's JSON: for a scrape. */
  async metrics(): Promise<unknown[]> {
    const answers = await this.#askAll((requestId) => ({ kind: 'metricsWanted', requestId }));
    return answers.flatMap((answer) => (answer.kind === 'metrics' ? [answer.metrics] : []));
  }

  /** In the order of their indexes. */
  async reports(topics?: TopicsWanted): Promise<WorkerReport[]> {
    const answers = await this.#askAll((requestId) => ({ kind: 'reportWanted', requestId, ...(topics !== undefined && { topics }) }));
    return answers.flatMap((answer) => (answer.kind === 'report' ? [answer.report] : [])).sort((a, b) => a.index - b.index);
  }

  answered(message: Answer): void {
    this.#waiting.get(message.requestId)?.(message);
  }

  async #askAll(question: (requestId: number) => Question): Promise<Answer[]> {
    const answers = await Promise.all([...this.#workers].map((worker) => this.#ask(worker, question(++this.#lastRequest))));
    return answers.filter((answer) => answer !== undefined);
  }

  #ask(worker: HubEnd, question: Question): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const finish = (answer: Answer | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(question.requestId);
        resolve(answer);
      };
      const timer = setTimeout(() => finish(undefined), TIMEOUT_MS);
      this.#waiting.set(question.requestId, finish);
      worker.send(question);
    });
  }
}
