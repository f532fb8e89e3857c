/** A client's position: an offset in one epoch of the log. */
export interface Since {
  readonly epoch: string;
  readonly offset: number;
}

/** An earlier epoch of the log that the current one continues: up to the offset both are the same. */
export interface PastLife {
  readonly epoch: string;
  readonly upTo: number;
}

/** The position in the current epoch. A position of an epoch that this one continues is valid in this one too, up to the offset where both are the same. */
export function inPresentLife(present: { readonly epoch: string; readonly before?: readonly PastLife[] | undefined }, since: Since): Since {
  const past = present.before?.find((life) => life.epoch === since.epoch);
  return past !== undefined && since.offset <= past.upTo ? { epoch: present.epoch, offset: since.offset } : since;
}
