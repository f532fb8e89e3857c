/**
 * A place in a topic's recent items. `sequence` is where the next item stands in the {@link Ring}; -1: before the ring, so that `offset` counts alone.
 * `offset` is the topic's offset just before it.
 */
export interface Position {
  readonly sequence: number;
  readonly offset: number;
}
