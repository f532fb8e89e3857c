import { posix } from 'node:path';

const LINK = /\]\(([^)\s]+)\)/g;

/**
 * A document as it reads at another place: links to files are followed, and point to where these lie there.
 *
 * @param {string} text Markdown
 * @param {string} from where it lies, from the root: `src/client/README.md`
 * @param {string} to where it goes, in the package: `README.md`
 * @param {(file: string) => string} place where a file goes that lies at this path
 */
export function moveDocument(text, from, to, place) {
  return mapLinks(text, (link) => {
    const [target, anchor = ''] = link.split(/(?=#)/);
    if (target.startsWith('#') || /^[a-z]+:/.test(target)) return link;
    return `${posix.relative(posix.dirname(to), place(posix.join(posix.dirname(from), target)))}${anchor}`;
  });
}

/** @param {(link: string) => string} map @returns the text with its links mapped, those in code blocks left alone */
export function mapLinks(text, map) {
  return text
    .split(/(^```[^\n]*\n[\s\S]*?^```$)/m)
    .map((part) => (part.startsWith('```') ? part : part.replace(LINK, (_, link) => `](${map(link)})`)))
    .join('');
}
