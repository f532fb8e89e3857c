/** Another node that is not silent, as far as is known. */
export interface OtherNode {
  /** Id of its process. */
  readonly instance: string;
  readonly nodeId: string;
}

export interface Answered<T> {
  readonly answers: readonly T[];
  /** Names of the known nodes that did not answer in time, sorted. */
  readonly nodesSilent: readonly string[];
}

interface Waiting<T> {
  readonly answers: Map<string, T>;
  bytes: number;
  take(): void;
}

export interface WaitOptions {
  /** The nodes that are expected to answer. Answers of further ones are taken too while it waits. */
  readonly others: readonly OtherNode[];
  /** 0: nobody hears the question, so no time is spent on waiting. */
  readonly timeoutMs: number;
}

/** Collects what other nodes answer. It takes one answer of each node, and at most `bytesMax` for one question: later answers are dropped, and their nodes count as silent. */
export class NodeAnswers<T> {
  readonly #bytesMax: number;
  readonly #waiting = new Map<string, Waiting<T>>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Questions that wait for answers. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves when all of these nodes have answered, or after the timeout. Never rejects. */
  wait(questionId: string, { others, timeoutMs }: WaitOptions): Promise<Answered<T>> {
    return new Promise((resolve) => {
      const answers = new Map<string, T>();
      const missing = () => others.filter(({ instance }) => !answers.has(instance));
      const finish = () => {
        clearTimeout(timer);
        this.#waiting.delete(questionId);
        const nodesSilent = missing().map(({ nodeId }) => nodeId);
        resolve({ answers: [...answers.values()], nodesSilent: nodesSilent.sort() });
      };
      const take = () => {
        if (missing().length === 0) finish();
      };
      const timer = setTimeout(finish, timeoutMs);
      this.#waiting.set(questionId, { answers, bytes: 0, take });
      if (timeoutMs === 0) finish();
      else take();
    });
  }

  /** @param from instance of the node */
  answered(questionId: string, from: string, answer: T, bytes: number): void {
    const waiting = this.#waiting.get(questionId);
    if (waiting === undefined || waiting.answers.has(from) || waiting.bytes + bytes > this.#bytesMax) return;
    waiting.bytes += bytes;
    waiting.answers.set(from, answer);
    waiting.take();
  }
}
