import type { IncomingMessage } from 'node:http';

/** Bytes of all bodies that are being read or handled. */
export class BodyBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @returns false if they do not fit; nothing is taken then */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Why a body was not read. `cut`: the client has closed the connection. */
export type Unread = 'tooLarge' | 'noRoom' | 'tooSlow' | 'cut';

/** A body that was read, with what returns its bytes to the budget; or why it was not. The rest of it is then not read. */
export type ReadBody = { readonly bytes: Uint8Array; readonly release: () => void } | Unread;

export interface BodyLimits {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/** Reads the body of a request: at most `bytesMax`, within `timeoutMs`, and only while `budget` has room for it. Close the connection after `tooSlow`: this returns the bytes that have arrived. */
export async function readBody(request: IncomingMessage, { bytesMax, timeoutMs }: BodyLimits, budget: BodyBytes): Promise<ReadBody> {
  let timer: NodeJS.Timeout | undefined;
  const tooSlow = new Promise<'tooSlow'>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, 'tooSlow');
  });
  const reading = collect(request, bytesMax, budget);
  const read = await Promise.race([reading, tooSlow]);
  clearTimeout(timer);
  if (read === 'tooSlow') void reading.then((late) => typeof late === 'object' && late.release());
  return read;
}

async function collect(request: IncomingMessage, bytesMax: number, budget: BodyBytes): Promise<ReadBody> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return 'tooLarge';
  const chunks: Buffer[] = [];
  let taken = 0;
  const release = () => {
    budget.release(taken);
    taken = 0;
  };
  const refused = (why: Unread) => {
    release();
    return why;
  };
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      if (taken + chunk.length > bytesMax) return refused('tooLarge');
      if (!budget.take(chunk.length)) return refused('noRoom');
      taken += chunk.length;
      chunks.push(chunk);
    }
  } catch {
    return refused('cut');
  }
  return { bytes: Buffer.concat(chunks), release };
}
