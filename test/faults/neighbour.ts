import { TestClient } from '../support/test-client.ts';
import { monoMs, seconds } from './time.ts';

/** Between an answer and the next question: not all that a client may. */
const PAUSE_MS = 50;
/** Answers after this time count as none. */
const ANSWER_MAX_MS = 10_000;

/** Commands of a well-behaved client, and what answers them. */
export type Asks = readonly { readonly command: Parameters<TestClient['ask']>[0]; readonly answer: string }[];

/** A client that goes on with its own work: asks one thing after the other, and measures how long it waits. */
export class Neighbour {
  /** Answers that never came, and refusals. */
  readonly failures: string[] = [];
  readonly #client: TestClient;
  readonly #asks: Asks;
  #waitedMs: number[] = [];
  #answered = Promise.resolve();
  #stopped = false;

  private constructor(client: TestClient, asks: Asks) {
    this.#client = client;
    this.#asks = asks;
    void this.#askAll();
  }

  static async start(url: string, token: string, asks: Asks): Promise<Neighbour> {
    const client = await TestClient.connect(url, { encoding: 'json', token });
    await client.next('connected');
    return new Neighbour(client, asks);
  }

  /** Of what was asked since the last call, when it is answered. */
  async takeP99Ms(): Promise<{ readonly p99Ms: number; readonly count: number }> {
    await this.#answered;
    const sorted = this.#waitedMs.sort((a, b) => a - b);
    this.#waitedMs = [];
    return { p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.POSITIVE_INFINITY, count: sorted.length };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#client.close();
  }

  async #askAll(): Promise<void> {
    for (let next = 0; !this.#stopped; next++) {
      const { command, answer } = this.#asks[next % this.#asks.length] as Asks[number];
      this.#answered = this.#ask(command, answer);
      await this.#answered;
      await seconds(PAUSE_MS / 1000);
    }
  }

  async #ask(command: Parameters<TestClient['ask']>[0], answer: string): Promise<void> {
    const startMs = monoMs();
    const late = new Promise<string>((resolve) => setTimeout(() => resolve('nothing'), ANSWER_MAX_MS).unref());
    const answered = this.#client.ask(command).then(
      (message) => (message.type === answer ? '' : JSON.stringify(message)),
      (error: Error) => error.message,
    );
    const wrong = await Promise.race([answered, late]);
    if (this.#stopped) return;
    if (wrong !== '') this.failures.push(`${command.type}: ${wrong}`);
    this.#waitedMs.push(monoMs() - startMs);
  }
}
