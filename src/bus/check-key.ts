import type { NamespaceOptions } from '../config/schema.ts';
import { BusError, type PublishRequest } from './bus.ts';

/**
 * A keyed topic's publication without a key would be taken for one of its parent topic: `feed.ticks.nasdaq` is key `nasdaq` of `ticks`.
 * @throws BusError `publish_refused`
 */
export function checkKey({ topic, key }: PublishRequest, { keyed }: NamespaceOptions): void {
  if (keyed === (key !== null)) return;
  throw new BusError(
    'publish_refused',
    keyed ? `${topic} is keyed: a publication needs a key` : `${topic} is not keyed: no key is allowed`,
  );
}
