/** A JSON Pointer (RFC 6901) to a member of a map; not to the whole. */
const PATH = /^(?:\/(?:[^~/]|~[01])*)+$/;
/** Messages nest 64 levels at most, and what leads to a member is always there. */
export const FIELD_DEPTH_MAX = 16;

/** Whether it names a member of a document: `/bids`, `/best/bid`. In a name `~0` is `~`, and `~1` is `/`. */
export function isFieldPath(path: string): boolean {
  return PATH.test(path) && path.split('/').length - 1 <= FIELD_DEPTH_MAX;
}
