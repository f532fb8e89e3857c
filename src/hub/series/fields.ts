/** What is kept of a node for an hour, one number each interval. Null: not known. */
export const SERIES_FIELDS = [
  'connections',
  'deliveriesPerSecond',
  'publicationsPerSecond',
  'publishToSocketP99Ms',
  'lagging',
  'errorsPerSecond',
  'memoryBytes',
  'cpuCores',
  'loopLagMs',
] as const;

export type SeriesField = (typeof SERIES_FIELDS)[number];
export type SeriesPoint = Readonly<Record<SeriesField, number | null>>;

/** Columns of the same length, oldest first. `atMs`: the clock of the node, milliseconds since 1970. */
export type SeriesColumns = { readonly atMs: readonly number[] } & Readonly<Record<SeriesField, readonly (number | null)[]>>;
