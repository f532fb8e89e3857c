import { type HttpAnswer, writeHead } from './http-answer.ts';
import type { HttpResponse } from './uws.ts';

/** From this size on uWebSockets writes to the socket itself, and says whether it took everything. */
const CORK_BYTES = 16_384;
/** White space after the JSON: it makes uWebSockets go on with what the socket did not take. */
const PADDING = '\n';

/**
 * One request and its answer, which may come later: the client may have gone by then, and then uWebSockets' response must not be touched. Every answer ends its
 * connection: one that is kept alive would use its descriptor for as long as the client wants.
 */
export class Exchange {
  readonly startedMs: number;
  #res: HttpResponse | undefined;
  #isRead = false;
  readonly #over: () => void;

  /** @param over called once, when the answer has left, or the client has */
  constructor(res: HttpResponse, startedMs: number, over: () => void) {
    this.#res = res;
    this.startedMs = startedMs;
    this.#over = over;
    res.onAborted(() => this.#end());
  }

  /** The body has not arrived yet. */
  get isReading(): boolean {
    return !this.#isRead && this.#res !== undefined;
  }

  /** @returns the body; undefined: it has more than `bytesMax`, or the request is over */
  read(bytesMax: number): Promise<Uint8Array | undefined> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    return new Promise((resolve) => {
      this.#res?.onData((chunk, isLast) => {
        if (!this.isReading) return;
        bytes += chunk.byteLength;
        // uWebSockets empties the chunk when this returns.
        if (bytes <= bytesMax) chunks.push(Buffer.from(chunk.slice(0)));
        if (!isLast && bytes <= bytesMax) return;
        this.#isRead = true;
        resolve(bytes > bytesMax ? undefined : Buffer.concat(chunks));
      });
    });
  }

  answer({ status, headers, body }: HttpAnswer): void {
    const res = this.#res;
    if (res === undefined) return;
    this.#isRead = true;
    if (body === undefined || body.length < CORK_BYTES) {
      res.cork(() => {
        writeHead(res, status, headers);
        res.end(body, true);
      });
      return this.#end();
    }
    // Until the socket has taken it, the answer counts as in flight.
    let isWhole = false;
    res.onWritable(() => this.#finish(PADDING));
    res.cork(() => {
      // The header asks the client to close. `end` must not: after a `write`, uWebSockets would put its own header into the body.
      writeHead(res, status, { ...headers, Connection: 'close' });
      isWhole = res.write(body);
    });
    if (isWhole) this.#finish('');
  }

  /** @returns true, as uWebSockets wants it */
  #finish(text: string): boolean {
    const res = this.#res;
    let isWhole = text === '';
    if (!isWhole)
      res?.cork(() => {
        isWhole = res.write(text);
      });
    if (!isWhole || res === undefined) return true;
    res.cork(() => res.end());
    this.#end();
    return true;
  }

  #end(): void {
    if (this.#res === undefined) return;
    this.#res = undefined;
    this.#over();
  }
}
