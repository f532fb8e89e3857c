import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pageOfNames } from '../../src/hub/page-of-names.ts';

const name = fc.stringMatching(/^[a-c.]{1,4}$/);

describe('pageOfNames()', () => {
  it('gives the same pages as sorting everything', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { maxLength: 60 }),
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom('', 'a', 'b.'),
        (all, limit, prefix) => {
          const expected = all.filter((one) => one.startsWith(prefix)).sort();
          const read: string[] = [];
          let after: string | undefined;
          let pages = 0;
          do {
            const page = pageOfNames(all, { prefix, after, limit });
            expect(page.total).toBe(expected.length);
            expect(page.names.length).toBeLessThanOrEqual(limit);
            read.push(...page.names);
            after = page.next;
            pages++;
          } while (after !== undefined);
          expect(read).toEqual(expected);
          expect(pages).toBe(Math.max(1, Math.ceil(expected.length / limit)));
        },
      ),
    );
  });
});
