/** The topics of the demo, used by its feeds and by its page. */
export const SCORES_TOPIC = 'scores.demo';
/** Keyed by symbol, about twenty a second. */
export const TICKS_TOPIC = 'ticks.demo';
/** The same a thousand times a second. */
export const FAST_TICKS_TOPIC = 'ticks.demo-fast';
/** Numbers that count up, fifty a second, so that a missing or repeated publication is visible. */
export const NUMBERS_TOPIC = 'scores.demo-numbers';
