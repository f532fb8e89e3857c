/** The demo's topics, as its feeds publish them and its page subscribes. */
export const SCORES_TOPIC = 'scores.demo';
/** Keyed by symbol, about twenty a second. */
export const TICKS_TOPIC = 'ticks.demo';
/** The same a thousand times a second. */
export const FAST_TICKS_TOPIC = 'ticks.demo-fast';
/** Numbers that count up, fifty a second: whoever misses one, or has one twice, can see it. */
export const NUMBERS_TOPIC = 'scores.demo-numbers';
