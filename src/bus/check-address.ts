import type { NamespaceOptions } from '../config/schema.ts';
import { keyProblem, topicProblem } from '../protocol/publish-rules.ts';
import { BusError } from './bus-error.ts';
import type { PublishRequest } from './publication.ts';

/** @throws BusError `publish_refused` */
export function checkAddress({ topic, key }: PublishRequest, options: NamespaceOptions): void {
  const problem = topicProblem(topic, options) ?? keyProblem(topic, key !== null, options);
  if (problem !== undefined) throw new BusError('publish_refused', problem.message);
}
