import { depthProblem } from '../config/namespaces.ts';
import type { NamespaceOptions } from '../config/schema.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Topic } from '../protocol/topic.ts';

/** Nothing is ever published to a topic of a wrong depth, so whoever asks for one is told. @throws ProtocolError `bad_topic` */
export function assertDepth(topic: Topic, namespace: NamespaceOptions): void {
  const problem = depthProblem(topic, namespace);
  if (problem !== undefined) throw new ProtocolError('bad_topic', problem);
}
