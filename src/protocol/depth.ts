/** Nesting of a whole message. What is deeper is refused: it could not be decoded, checked and encoded without risking the stack. */
export const MESSAGE_DEPTH_MAX = 64;

/** Nesting of a publication's data: less by what a message wraps around it (the map, `items`, the item), so that what may be published can also be received. */
export const DATA_DEPTH_MAX = 60;
