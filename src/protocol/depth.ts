/** Maximum nesting of a message. Deeper ones are refused, because decoding, checking and encoding them could overflow the stack. */
export const MESSAGE_DEPTH_MAX = 64;

/**
 * Maximum nesting of a publication's data. It is lower by the levels that a message adds (the map, `items`, the item), so that everything that can be published
 * can be received too.
 */
export const DATA_DEPTH_MAX = 60;
