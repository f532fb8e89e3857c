import fc from 'fast-check';
import { NAMES } from './document-fixtures.ts';

const name = fc.constantFrom(...NAMES);
const escaped = (text: string) => text.replaceAll('~', '~0').replaceAll('/', '~1');

/** Of names that the made-up documents have. */
export const fieldPathLists: fc.Arbitrary<string[]> = fc.array(
  fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.map((each) => `/${escaped(each)}`).join('')),
  { minLength: 1, maxLength: 4 },
);

/** The projection, as PROTOCOL.md says it. It does not use the project's own code. */
export function projected(document: unknown, paths: readonly string[]): unknown {
  const lists = paths.map((path) =>
    path
      .slice(1)
      .split('/')
      .map((each) => each.replaceAll('~1', '/').replaceAll('~0', '~')),
  );
  return part(document, lists);
}

function part(from: unknown, lists: readonly (readonly string[])[]): unknown {
  const members = typeof from === 'object' && from !== null && !Array.isArray(from) ? new Map(Object.entries(from)) : new Map();
  const names = [...new Set(lists.map(([first]) => first as string))];
  return Object.fromEntries(
    names.flatMap((each) => {
      const rests = lists.filter(([first]) => first === each).map(([, ...rest]) => rest);
      if (rests.every((rest) => rest.length > 0)) return [[each, part(members.get(each), rests)]];
      return members.has(each) ? [[each, members.get(each)]] : [];
    }),
  );
}
