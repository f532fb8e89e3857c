import { depthProblem } from '../config/namespaces.ts';
import type { NamespaceOptions } from '../config/schema.ts';
import { BusError, type PublishRequest } from './bus.ts';

/**
 * A keyed topic's publication without a key would be taken for one of its parent topic: `feed.ticks.nasdaq` is key `nasdaq` of `ticks`.
 * @throws BusError `publish_refused`
 */
export function checkAddress({ topic, key }: PublishRequest, options: NamespaceOptions): void {
  const problem = depthProblem(topic, options) ?? keyProblem(topic, options.keyed, key !== null);
  if (problem !== undefined) throw new BusError('publish_refused', problem);
}

function keyProblem(topic: string, keyed: boolean, hasKey: boolean): string | undefined {
  if (keyed === hasKey) return undefined;
  return keyed ? `${topic} is keyed: a publication needs a key` : `${topic} is not keyed: no key is allowed`;
}
