import { defineEvents } from '@stentor-broadcast/client/events';

/** Longest text that the page sends. */
export const TEXT_CHARACTERS_MAX = 500;
/** What other programs may send is shown up to this length. */
const SHOWN_CHARACTERS_MAX = 2000;

export interface RoomMessage {
  readonly text: string;
}

export interface DirectMessage {
  /** The user it is for. The sender also publishes it to their own topic. */
  readonly to: string;
  readonly text: string;
}

const isText = (value: unknown) => typeof value === 'string' && value.length > 0 && value.length <= SHOWN_CHARACTERS_MAX;
const fieldsOf = (value: unknown) => (value ?? {}) as Record<string, unknown>;

/**
 * The events of this application, with the checks of their payloads. They are checked before they are sent and when they arrive: whoever has a token can publish
 * anything. In an application the checks are rather compiled TypeBox schemas.
 */
export const chatEvents = defineEvents({
  message: { Check: (value): value is RoomMessage => isText(fieldsOf(value).text) },
  direct: { Check: (value): value is DirectMessage => isText(fieldsOf(value).text) && typeof fieldsOf(value).to === 'string' },
});
