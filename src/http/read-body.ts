import type { IncomingMessage } from 'node:http';

/** Bytes of bodies that may be read. */
interface Room<Full> {
  /** @returns why there is no room for these bytes, of which none are taken then; undefined: they are taken */
  take(bytes: number): Full | undefined;
  release(bytes: number): void;
}

/** A body that was read, with what gives its room back; or why it was not. The rest of it is then not read. `cut`: the client has closed the connection. */
export type ReadBody<Full> =
  | { readonly kind: 'read'; readonly bytes: Uint8Array; readonly release: () => void }
  | { readonly kind: 'tooLarge' | 'tooSlow' | 'cut' }
  | { readonly kind: 'noRoom'; readonly full: Full };

export interface BodyLimits {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/** Reads the body of a request: at most `bytesMax`, within `timeoutMs`, and only while there is room for it. Close the connection after `tooSlow`: this gives back the room of the bytes that have arrived. */
export async function readBody<Full>(
  request: IncomingMessage,
  { bytesMax, timeoutMs }: BodyLimits,
  room: Room<Full>,
): Promise<ReadBody<Full>> {
  let timer: NodeJS.Timeout | undefined;
  const tooSlow = new Promise<{ readonly kind: 'tooSlow' }>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, { kind: 'tooSlow' });
  });
  const reading = collect(request, bytesMax, room);
  const read = await Promise.race([reading, tooSlow]);
  clearTimeout(timer);
  if (read.kind === 'tooSlow') void reading.then((late) => late.kind === 'read' && late.release());
  return read;
}

async function collect<Full>(request: IncomingMessage, bytesMax: number, room: Room<Full>): Promise<ReadBody<Full>> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return { kind: 'tooLarge' };
  const chunks: Buffer[] = [];
  let taken = 0;
  const release = () => {
    room.release(taken);
    taken = 0;
  };
  const refused = (why: ReadBody<Full>) => {
    release();
    return why;
  };
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      if (taken + chunk.length > bytesMax) return refused({ kind: 'tooLarge' });
      const full = room.take(chunk.length);
      if (full !== undefined) return refused({ kind: 'noRoom', full });
      taken += chunk.length;
      chunks.push(chunk);
    }
  } catch {
    return refused({ kind: 'cut' });
  }
  return { kind: 'read', bytes: Buffer.concat(chunks), release };
}
