import { WebSocket } from 'ws';
import { monoMs } from './time.ts';

interface ProbeOptions {
  /** Called with when each publication was sent. */
  readonly onPublication?: (sentAtMs: number) => void;
  /** Absent: an anonymous client. */
  readonly token?: string | undefined;
}

/** One member that measures: how long its topics' publications took from their producer. It comes back when its connection ends, and counts that. */
export class LatencyProbe {
  /** Connections that ended. */
  ends = 0;
  readonly #port: number;
  readonly #topics: readonly string[];
  readonly #onPublication: (sentAtMs: number) => void;
  readonly #headers: Readonly<Record<string, string>>;
  #latenciesMs: number[] = [];
  #socket: WebSocket | undefined;
  #stopped = false;

  constructor(port: number, topics: readonly string[], { onPublication = () => {}, token }: ProbeOptions = {}) {
    this.#port = port;
    this.#topics = topics;
    this.#onPublication = onPublication;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async start(): Promise<void> {
    const options = { perMessageDeflate: false, headers: this.#headers };
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/ws`, ['stentor.v1.json'], options);
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#receive(JSON.parse(data.toString())));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (this.#stopped) return;
      this.ends++;
      setTimeout(() => void this.start(), 100);
    });
    const opened = await new Promise<boolean>((resolve) => {
      socket.once('open', () => resolve(true));
      socket.once('close', () => resolve(false));
    });
    if (!opened) return;
    for (const [id, topic] of this.#topics.entries()) socket.send(JSON.stringify({ type: 'subscribe', id, topic }));
  }

  /** Publications since the last {@link takeP99Ms}. */
  get count(): number {
    return this.#latenciesMs.length;
  }

  /** Of what came since the last call; an empty list counts as for ever. */
  takeP99Ms(): { readonly p99Ms: number; readonly count: number } {
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    this.#latenciesMs = [];
    return { p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.POSITIVE_INFINITY, count: sorted.length };
  }

  stop(): void {
    this.#stopped = true;
    this.#socket?.terminate();
  }

  #receive(message: { type: string; items?: [number, string | null, { sentAtMs: number }][] }): void {
    if (message.type !== 'batch') return;
    const nowMs = monoMs();
    for (const [, , { sentAtMs }] of message.items ?? []) {
      this.#latenciesMs.push(nowMs - sentAtMs);
      this.#onPublication(sentAtMs);
    }
  }
}
