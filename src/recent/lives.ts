/** A position that a client has: an offset in one life of the log. */
export interface Since {
  readonly epoch: string;
  readonly offset: number;
}

/** A life of the log that the present one goes on from: up to the offset both are the same. */
export interface PastLife {
  readonly epoch: string;
  readonly upTo: number;
}

/** The position in the present life. A position of a life that this one goes on from counts in this one, up to where both are the same. */
export function inPresentLife(present: { readonly epoch: string; readonly before?: readonly PastLife[] | undefined }, since: Since): Since {
  const past = present.before?.find((life) => life.epoch === since.epoch);
  return past !== undefined && since.offset <= past.upTo ? { epoch: present.epoch, offset: since.offset } : since;
}
