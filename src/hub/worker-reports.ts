import type { HubEnd } from '../link/link.ts';
import type { EndOrder, EndTarget, Revocation, ToHub, TopicsWanted, ToWorker, WorkerReport } from '../link/messages.ts';
import type { ConnectionsOverview } from './report-types.ts';

type Question = Extract<ToWorker, { kind: 'metricsWanted' | 'reportWanted' | 'endWanted' | 'revoked' | 'connectionsWanted' }>;
type Answer = Extract<ToHub, { kind: 'metrics' | 'report' | 'ended' | 'connections' }>;

/** A scrape must not wait for a worker that is stuck. */
const METRICS_TIMEOUT_MS = 1000;
/** A person prefers to wait for a busy worker, because that is when it matters. */
const REPORT_TIMEOUT_MS = 3000;

export interface WorkerAnswers {
  /** Sorted by index. */
  readonly reports: readonly WorkerReport[];
  /** Number of workers that did not answer in time. */
  readonly silent: number;
}

/** Requests the status of the workers, and has them end connections. */
export class WorkerReports {
  readonly #workers: ReadonlySet<HubEnd>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastRequest = 0;

  constructor(workers: ReadonlySet<HubEnd>) {
    this.#workers = workers;
  }

  /** All metrics of the workers, as prom-client's JSON, for a scrape. A worker that does not answer in time is left out. */
  async metrics(): Promise<unknown[]> {
    const answers = await this.#askAll(METRICS_TIMEOUT_MS, (requestId) => ({ kind: 'metricsWanted', requestId }));
    return answers.flatMap((answer) => (answer.kind === 'metrics' ? [answer.metrics] : []));
  }

  async reports(topics?: TopicsWanted): Promise<WorkerAnswers> {
    const asked = this.#workers.size;
    const answers = await this.#askAll(REPORT_TIMEOUT_MS, (requestId) => {
      return { kind: 'reportWanted', requestId, ...(topics !== undefined && { topics }) };
    });
    const reports = answers.flatMap((answer) => (answer.kind === 'report' ? [answer.report] : []));
    return { reports: reports.sort((a, b) => a.index - b.index), silent: asked - reports.length };
  }

  /** @returns how many connections it was for */
  async end(order: EndOrder): Promise<number> {
    return endedIn(await this.#askAll(METRICS_TIMEOUT_MS, (requestId) => ({ kind: 'endWanted', requestId, order })));
  }

  /** @returns how many connections had such tokens */
  async revoke(revocations: readonly Revocation[]): Promise<number> {
    return endedIn(await this.#askAll(METRICS_TIMEOUT_MS, (requestId) => ({ kind: 'revoked', requestId, revocations })));
  }

  /** Connections that are meant, of all workers: how many there are, and this number of them. */
  async connections(target: EndTarget, limit: number): Promise<ConnectionsOverview> {
    const asked = this.#workers.size;
    const answers = await this.#askAll(REPORT_TIMEOUT_MS, (requestId) => ({ kind: 'connectionsWanted', requestId, target, limit }));
    const reports = answers.flatMap((answer) => (answer.kind === 'connections' ? [answer] : []));
    return {
      total: reports.reduce((sum, { total }) => sum + total, 0),
      connections: reports.flatMap(({ connections }) => connections).slice(0, limit),
      workersSilent: asked - reports.length,
    };
  }

  answered(message: Answer): void {
    this.#waiting.get(message.requestId)?.(message);
  }

  async #askAll(timeoutMs: number, question: (requestId: number) => Question): Promise<Answer[]> {
    const answers = await Promise.all([...this.#workers].map((worker) => this.#ask(worker, timeoutMs, question(++this.#lastRequest))));
    return answers.filter((answer) => answer !== undefined);
  }

  #ask(worker: HubEnd, timeoutMs: number, question: Question): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const finish = (answer: Answer | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(question.requestId);
        resolve(answer);
      };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      this.#waiting.set(question.requestId, finish);
      worker.send(question);
    });
  }
}

function endedIn(answers: readonly Answer[]): number {
  return answers.reduce((sum, answer) => sum + (answer.kind === 'ended' ? answer.connections : 0), 0);
}
