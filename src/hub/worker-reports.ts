import type { Config } from '../config/schema.ts';
import type { HubEnd } from '../link/link.ts';
import type { EndOrder, EndTarget, Revocation } from '../link/orders.ts';
import type { TopicsWanted, WorkerReport, WorkerSummary } from '../link/reports.ts';
import type { ConnectionsOverview } from './report-types.ts';
import { type AnswerTo, type Asked, type Question, WorkerQuestions } from './worker-questions.ts';

type Wanted = Exclude<Asked, 'sendToConnection' | 'callConnection'>;

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
  readonly #orderTimeoutMs: number;
  readonly #questions = new WorkerQuestions();

  constructor(workers: ReadonlySet<HubEnd>, { tuning }: Pick<Config, 'tuning'>) {
    this.#workers = workers;
    this.#orderTimeoutMs = tuning.hub.orderTimeoutMs;
  }

  /** All metrics of the workers, as prom-client's JSON, for a scrape. A worker that does not answer in time is left out. */
  async metrics(): Promise<unknown[]> {
    const answers = await this.#askAll<'metricsWanted'>({ kind: 'metricsWanted' }, METRICS_TIMEOUT_MS);
    return answers.map(({ metrics }) => metrics);
  }

  /** A worker that does not answer in time is left out. */
  async summaries(): Promise<readonly WorkerSummary[]> {
    return this.#askAll<'summaryWanted'>({ kind: 'summaryWanted' }, METRICS_TIMEOUT_MS);
  }

  async reports(topics?: TopicsWanted): Promise<WorkerAnswers> {
    const asked = this.#workers.size;
    const question = { kind: 'reportWanted', ...(topics !== undefined && { topics }) } as const;
    const answers = await this.#askAll<'reportWanted'>(question, REPORT_TIMEOUT_MS);
    const reports = answers.map(({ report }) => report);
    return { reports: reports.sort((a, b) => a.index - b.index), silent: asked - reports.length };
  }

  /** @returns how many connections it was for */
  async end(order: EndOrder): Promise<number> {
    return endedIn(await this.#askAll<'endWanted'>({ kind: 'endWanted', order }, this.#orderTimeoutMs));
  }

  /** @returns how many connections had such tokens */
  async revoke(revocations: readonly Revocation[]): Promise<number> {
    return endedIn(await this.#askAll<'revoked'>({ kind: 'revoked', revocations }, this.#orderTimeoutMs));
  }

  /** Connections that are meant, of all workers: how many there are, and this number of them. */
  async connections(target: EndTarget, limit: number): Promise<ConnectionsOverview> {
    const asked = this.#workers.size;
    const reports = await this.#askAll<'connectionsWanted'>({ kind: 'connectionsWanted', target, limit }, REPORT_TIMEOUT_MS);
    return {
      total: reports.reduce((sum, { total }) => sum + total, 0),
      connections: reports.flatMap(({ connections }) => connections).slice(0, limit),
      workersSilent: asked - reports.length,
    };
  }

  answered(answer: AnswerTo<Wanted>): void {
    this.#questions.answered(answer);
  }

  async #askAll<K extends Wanted>(question: Question<K>, timeoutMs: number): Promise<AnswerTo<K>[]> {
    const answers = await Promise.all([...this.#workers].map((worker) => this.#questions.ask<K>(worker, question, timeoutMs)));
    return answers.filter((answer) => answer !== undefined);
  }
}

function endedIn(answers: readonly AnswerTo<'endWanted'>[]): number {
  return answers.reduce((sum, { connections }) => sum + connections, 0);
}
