import type { IOptions } from 'sanitize-html';
import type { NamespaceOptions } from '../../config/schema.ts';

export type SanitizeMode = Exclude<NamespaceOptions['sanitize'], 'off'>;

/** Returns the text without what a browser could run. */
export type CleanText = (text: string) => string;

/** What stays in mode `html`. No images, no styles, no classes or ids. */
const SIMPLE_TAGS = ['a', 'b', 'blockquote', 'br', 'code', 'em', 'i', 'li', 'ol', 'p', 'pre', 's', 'strong', 'u', 'ul'];

/** Stricter than the library: no address within the application that shows the text, and none that a browser would have to repair. */
const LINK = /^(?:https?:\/\/|mailto:)[^\s`'"<>\\]+$/i;

/** Elements inside one another. A browser needs much longer for deep nesting than for a long text. */
const NESTING_MAX = 20;

/**
 * Loads the library, which takes some 0.1 s and 10 MB: only for nodes with a namespace that sanitizes. It is sanitize-html, because its parser follows the HTML
 * standard and takes time in proportion to the text. `xss` took 67 ms for 4 KB of attributes (its expressions go back over the text), DOMPurify 40 to 200 ms for
 * 4 KB of tags (it needs jsdom in Node).
 */
export async function loadTextCleaner(): Promise<(mode: SanitizeMode) => CleanText> {
  const { default: sanitizeHtml } = await import('sanitize-html');
  return (mode) => {
    const options: IOptions = {
      allowedTags: mode === 'html' ? SIMPLE_TAGS : [],
      allowedAttributes: { a: ['href'] },
      allowedSchemes: ['http', 'https', 'mailto'],
      allowProtocolRelative: false,
      transformTags: { a: (tagName, { href }) => ({ tagName, attribs: href !== undefined && LINK.test(href) ? { href } : {} }) },
      parseStyleAttributes: false,
      nestingLimit: NESTING_MAX,
    };
    return mode === 'html' ? (text) => sanitizeHtml(text, options) : (text) => asText(sanitizeHtml(text, options));
  };
}

/**
 * Undoes the escapes that the library writes, so that a text stays a text: `Q&A <b>now</b>` is `Q&A now`. Only a `<` that a browser could read as the start of
 * a tag stays escaped.
 */
function asText(html: string): string {
  const text = html.replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&amp;', '&');
  return text.replace(EACH_TAG_START, '&lt;');
}

/**
 * Whether a browser could read a tag or comment in it. Another `<`, as in `I <3 you`, is text by the HTML standard. One at the end could become a tag if a page
 * joins two texts.
 */
export function mayContainTags(text: string): boolean {
  return TAG_START.test(text);
}

const TAG_START = /<(?:[A-Za-z/!?\0]|$)/;
const EACH_TAG_START = /<(?=[A-Za-z/!?\0]|$)/g;
