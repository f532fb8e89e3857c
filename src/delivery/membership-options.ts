import { rateClassFor } from '../fanout/rate-class.ts';
import { FieldSelection, type Selection } from '../fanout/selection.ts';
import { TagFilter } from '../fanout/tag-filter.ts';
import type { TopicFeed } from '../fanout/topic-feed.ts';
import { variantName } from '../fanout/variant.ts';
import type { Encoding } from '../protocol/codec.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { TagFilterOf } from '../protocol/tags.ts';
import type { Receiver } from './receiver.ts';
import type { MembershipOptions } from './subscription.ts';

/** How a client wants a topic. */
export interface Wishes {
  readonly maxRateHz?: number | undefined;
  readonly echo?: boolean | undefined;
  readonly timestamps?: boolean | undefined;
  /** It puts large batches together from numbered parts. */
  readonly parts?: boolean | undefined;
  /** What changes of each value, where the namespace has that. */
  readonly delta?: boolean | undefined;
  /** Paths of members of the document; undefined: all of it. */
  readonly fields?: readonly string[] | undefined;
  /** Only publications with these tags. */
  readonly filter?: TagFilterOf | undefined;
  /** Of `fields` or `filter`: {@link withSelection}. */
  readonly selection?: Selection | undefined;
}

/** By content. Each subscription keeps its own object, so equal ones share one; there are only a few dozen. */
const knownOptions = new Map<string, MembershipOptions>();
/** Those of clients without wishes, which nearly all are, by encoding. */
const plainOptions: Record<Encoding, MembershipOptions> = { msgpack: plain('msgpack'), json: plain('json') };

/** How many different selections of a topic a worker has, and how many of them one owner. */
export interface SelectionLimits {
  readonly perTopicMax: number;
  readonly perOwnerMax: number;
  readonly onShareRefused: () => void;
}

/** @throws ProtocolError `too_many_selections` */
export function membershipOptions(receiver: Receiver, feed: TopicFeed, wishes: Wishes, limits: SelectionLimits): MembershipOptions {
  const { namespace } = feed;
  const { maxRateHz, echo } = wishes;
  const { codec, deflate } = receiver;
  const { encoding } = codec;
  const selection = selectionFor(receiver, feed, wishes, limits);
  // Ephemeral topics have no positions, which say what a frame covers. And of what is compressed, only whole batches are.
  const parts = wishes.parts === true && namespace.durable && !deflate;
  const isPlain = maxRateHz === undefined && echo !== false && wishes.timestamps !== true && wishes.delta !== true && !deflate;
  if (isPlain && !parts && selection === undefined) return plainOptions[encoding];
  const rateHz = maxRateHz === undefined ? undefined : rateClassFor(maxRateHz);
  // No log has stored an ephemeral publication.
  const timestamps = wishes.timestamps === true && namespace.durable;
  // A filter leaves out some of the values that the next change is one of: what is left comes whole.
  const delta = wishes.delta === true && wishes.filter === undefined && namespace.delta === 'fields';
  const variant = {
    encoding,
    deflate: deflate && encoding === 'msgpack',
    rateHz,
    timestamps,
    ...(parts && { parts }),
    ...(delta && { delta }),
  };
  // There may be any number of selections, so these are not kept.
  if (selection !== undefined) return { variant: { ...variant, selection }, echo: echo !== false };
  const name = `${variantName(variant)} ${echo !== false}`;
  const options = knownOptions.get(name) ?? { variant, echo: echo !== false };
  knownOptions.set(name, options);
  return options;
}

/** Undefined: everything. */
export function selectionOf({ fields, filter }: Pick<Wishes, 'fields' | 'filter'>): Selection | undefined {
  if (fields !== undefined) return new FieldSelection(fields);
  return filter === undefined ? undefined : new TagFilter(filter);
}

/** With what is selected, which takes the most time to make. */
export function withSelection<W extends Wishes>(wishes: W): W {
  const selection = selectionOf(wishes);
  return selection === undefined ? wishes : { ...wishes, selection };
}

/** @throws ProtocolError `too_many_selections` */
export function selectionFor(
  { owner }: Receiver,
  { topic, selections }: TopicFeed,
  { selection: wanted }: Wishes,
  { perTopicMax, perOwnerMax, onShareRefused }: SelectionLimits,
): Selection | undefined {
  if (wanted === undefined || selections === undefined) return wanted;
  const known = selections.get(wanted.name);
  if (known !== undefined) return known;
  if (selections.size >= perTopicMax) {
    throw new ProtocolError('too_many_selections', `${topic} has ${perTopicMax} different selections in this worker`);
  }
  if (selections.countOf(owner) >= perOwnerMax) {
    onShareRefused();
    const why = `you have ${perOwnerMax} different selections of ${topic}, your share (limits.sharePercentMax) of those of this worker`;
    throw new ProtocolError('too_many_selections', why);
  }
  return wanted;
}

/** Who begins to follow what changes, or other members of a document, does not have the values yet. */
export function needsState({ variant }: MembershipOptions, before: MembershipOptions['variant']): boolean {
  if (variant.delta === true && before.delta !== true) return true;
  const { selection } = variant;
  return selection?.name !== before.selection?.name && (selection ?? before.selection)?.isOfDocument === true;
}

function plain(encoding: Encoding): MembershipOptions {
  return { variant: { encoding, deflate: false, rateHz: undefined, timestamps: false }, echo: true };
}
