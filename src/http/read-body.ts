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

/** A body that was read, with what returns its bytes to the budget; or why it was not. The rest of it is then not read. */
export type ReadBody = { readonly bytes: Uint8Array; readonly release: () => void } | 'tooLarge' | 'noRoom';

/** Reads the body of a request: at most `bytesMax`, and only while `budget` has room for it. Rejects if the client ends it too early. */
export async function readBody(request: IncomingMessage, bytesMax: number, budget: BodyBytes): Promise<ReadBody> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return 'tooLarge';
  const chunks: Buffer[] = [];
  let taken = 0;
  const release = () => {
    budget.release(taken);
    taken = 0;
  };
  const refused = (why: 'tooLarge' | 'noRoom') => {
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
  } catch (error) {
    release();
    throw error;
  }
  return { bytes: Buffer.concat(chunks), release };
}
