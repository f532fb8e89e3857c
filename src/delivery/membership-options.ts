import { rateClassFor } from '../fanout/rate-class.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import { variantName } from '../fanout/variant.ts';
import type { Encoding } from '../protocol/codec.ts';
import type { Receiver } from './receiver.ts';
import type { MembershipOptions } from './subscription.ts';

/** How a client wants a topic. */
export interface Wishes {
  readonly maxRateHz?: number | undefined;
  readonly echo?: boolean | undefined;
  readonly timestamps?: boolean | undefined;
  /** What changes of each value, where the namespace has that. */
  readonly delta?: boolean | undefined;
}

/** By content. Each subscription keeps its own object, so equal ones share one; there are only a few dozen. */
const knownOptions = new Map<string, MembershipOptions>();
/** Those of clients without wishes, which nearly all are, by encoding. */
const plainOptions: Record<Encoding, MembershipOptions> = { msgpack: plain('msgpack'), json: plain('json') };

export function membershipOptions({ codec, deflate }: Receiver, { namespace }: TopicFeed, wishes: Wishes): MembershipOptions {
  const { maxRateHz, echo } = wishes;
  const { encoding } = codec;
  if (maxRateHz === undefined && echo !== false && wishes.timestamps !== true && wishes.delta !== true && !deflate)
    return plainOptions[encoding];
  const rateHz = maxRateHz === undefined ? undefined : rateClassFor(maxRateHz);
  // No log has stored an ephemeral publication.
  const timestamps = wishes.timestamps === true && namespace.durable;
  const delta = wishes.delta === true && namespace.delta === 'fields';
  const variant = { encoding, deflate: deflate && encoding === 'msgpack', rateHz, timestamps, ...(delta && { delta }) };
  const name = `${variantName(variant)} ${echo !== false}`;
  const options = knownOptions.get(name) ?? { variant, echo: echo !== false };
  knownOptions.set(name, options);
  return options;
}

/** Who begins to follow what changes may not have the values yet. */
export function beginsDeltas({ variant }: MembershipOptions, before: MembershipOptions['variant']): boolean {
  return variant.delta === true && before.delta !== true;
}

function plain(encoding: Encoding): MembershipOptions {
  return { variant: { encoding, deflate: false, rateHz: undefined, timestamps: false }, echo: true };
}
