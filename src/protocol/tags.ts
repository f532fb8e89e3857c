/** What a publication is marked with, by its producer: names and texts by which subscribers filter. */
export type Tags = Readonly<Record<string, string>>;
/** What a subscriber wants: for each of these names, one of these texts. */
export type TagFilterOf = Readonly<Record<string, string | readonly string[]>>;

/** Of a publication. */
export const TAGS_MAX = 8;
/** Names of a filter, and texts for one name. */
export const FILTER_TAGS_MAX = 3;
export const FILTER_VALUES_MAX = 20;

/** Small letters, because names of NATS headers come in any case. */
export const TAG_NAME = '^[a-z0-9][a-z0-9_-]{0,31}$';
/** 64 characters of printable ASCII at most, without spaces at its ends, which NATS clients remove. */
export const TAG_TEXT = '^[!-~]([ -~]{0,62}[!-~])?$';
/** What {@link isTags} takes, for the texts of errors. */
export const TAGS_EXPECTED = `${TAGS_MAX} tags at most: printable ASCII by names of a-z 0-9 _ -`;
const NAME_PATTERN = new RegExp(TAG_NAME);
const TEXT_PATTERN = new RegExp(TAG_TEXT);

export function isTag(name: string, text: unknown): text is string {
  return NAME_PATTERN.test(name) && typeof text === 'string' && TEXT_PATTERN.test(text);
}

/** Whether it is a map of so many tags at most. */
export function isTags(value: unknown): value is Tags {
  return isMapOf(value, 0, TAGS_MAX, isTag);
}

export function isTagFilter(value: unknown): value is TagFilterOf {
  return isMapOf(value, 1, FILTER_TAGS_MAX, (name, wanted) => {
    const texts: unknown[] = Array.isArray(wanted) ? wanted : [wanted];
    return texts.length > 0 && texts.length <= FILTER_VALUES_MAX && texts.every((text) => isTag(name, text));
  });
}

function isMapOf(value: unknown, min: number, max: number, fits: (name: string, member: unknown) => boolean): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const members = Object.entries(value);
  return members.length >= min && members.length <= max && members.every(([name, member]) => fits(name, member));
}
