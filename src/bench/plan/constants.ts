import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';

/** Far above anything real: what is computed from them stays a number. */
const MAX = 1e12;
const Positive = Type.Number({ exclusiveMinimum: 0, maximum: MAX });
const Cost = Type.Number({ minimum: 0, maximum: MAX });

/** What a node costs on one kind of machine. CPU in microseconds of one core. */
export const CostConstants = Type.Object({
  version: Type.Literal(1),
  /** The machine, and when. */
  measured: Type.String({ maxLength: 500 }),
  /** Of 100-byte publications, unless the calibration had others. */
  payloadBytes: Positive,
  /** A second of a node without connections: the hub and one worker, half each. */
  nodeUs: Cost,
  /** A second of an idle connection. */
  connectionUs: Cost,
  /** A publication with members here, hub and worker, without the writes to them, at rates a second, the lowest first: it costs less when there are many. */
  publication: Type.Array(Type.Object({ perSecond: Positive, us: Cost }), { minItems: 1, maxItems: 10 }),
  /** A publication that the node follows, and nobody here wants. */
  followedUs: Cost,
  /** A write to a connection, where many connections get the same. */
  sendUs: Positive,
  /** A write to a connection that follows topics of its own. Absent: not measured. */
  ownSendUs: Type.Optional(Positive),
  /** A publication in a write that has others too. */
  deliveryUs: Cost,
  /** NATS: a publication that it takes (of a durable namespace, stores), and a message that it sends to a node. */
  natsPublicationUs: Cost,
  natsMessageUs: Cost,
  /** Most that was measured: beyond it the model does not know. */
  workerCoresMax: Positive,
  connectionBytes: Positive,
  subscriptionBytes: Positive,
  nodeBytes: Positive,
});
export type CostConstants = Static<typeof CostConstants>;

const checker = Compile(CostConstants);

/** @throws Error that says what is wrong */
export function parseConstants(text: string): CostConstants {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`not JSON: ${(cause as Error).message}`, { cause });
  }
  if (checker.Check(value)) {
    const { publication } = value;
    if (publication.every(({ perSecond }, at) => perSecond > (publication[at - 1]?.perSecond ?? 0))) return value;
    throw new Error('/publication must have the lowest perSecond first');
  }
  const [first] = checker.Errors(value);
  throw new Error(`${first?.instancePath || 'the file'} ${first?.message ?? 'is not what `stentor bench --calibrate` writes'}`);
}
