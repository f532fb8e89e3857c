/** The place of a message in its stream and its consumer, from the reply subject of JetStream. */
export interface Delivery {
  readonly streamSeq: number;
  readonly consumerSeq: number;
  /** Nanoseconds since 1970, precise to about 256 ns: above 2^53 the last digits are lost. */
  readonly timestampNs: number;
  /** Number of messages of the consumer after this one. */
  readonly pending: number;
}

const PREFIX = '$JS.ACK.';
const DOT = 46;
const ZERO = 48;

/**
 * Parses `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`. The newer form has a domain and an account hash before the
 * stream, and a token after pending. It takes one pass without splitting, because this runs once per publication of the namespace.
 *
 * @returns undefined for any other text: the message is not from a stream
 */
export function parseDelivery(reply: string): Delivery | undefined {
  if (!reply.startsWith(PREFIX)) return undefined;
  const dots: number[] = [];
  for (let i = PREFIX.length; i < reply.length; i++) if (reply.charCodeAt(i) === DOT) dots.push(i);
  // Dots after the prefix: 6 in the old form, 9 or more in the new one, whose stream seq is the 6th token instead of the 4th.
  const first = dots.length === 6 ? 2 : 4;
  if (dots.length < 6 || dots.length === 7) return undefined;
  return {
    streamSeq: integer(reply, dots[first], dots[first + 1]),
    consumerSeq: integer(reply, dots[first + 1], dots[first + 2]),
    timestampNs: integer(reply, dots[first + 2], dots[first + 3]),
    pending: integer(reply, dots[first + 3], dots[first + 4] ?? reply.length),
  };
}

/** Digits above 2^53 are rounded as they are added, which changes a nanosecond time by less than a microsecond. */
function integer(text: string, before = 0, end = text.length): number {
  let value = 0;
  for (let i = before + 1; i < end; i++) value = value * 10 + text.charCodeAt(i) - ZERO;
  return value;
}
