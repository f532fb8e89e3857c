/**
 * A position in a topic's recent items. `sequence` is that of the next item in the {@link Ring}; -1: before the ring, so that only `offset` counts. `offset` is
 * the topic's offset just before it.
 */
export interface Position {
  readonly sequence: number;
  readonly offset: number;
}
