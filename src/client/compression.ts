/** `@stentor-broadcast/client/compression`: batches that come deflated. It has its own entry, because most pages do without. */
import { canInflate } from './inflate.ts';
import { InflatingUnpacker } from './inflating-unpacker.ts';
import type { ClientOptions } from './options.ts';

/**
 * Options for `createClient` that request compressed batches. A batch is compressed once for all clients that request it. Costs the client an asynchronous step
 * per frame. Where the platform cannot inflate (`DecompressionStream`), batches come as they are.
 */
export function withCompression<O extends Pick<ClientOptions, 'unpacker'>>(options: O): O {
  return canInflate() ? { ...options, unpacker: (pass, fail) => new InflatingUnpacker(pass, fail) } : options;
}
