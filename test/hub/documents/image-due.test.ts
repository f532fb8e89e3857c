import { describe, expect, it } from 'vitest';
import { type DueQuestion, isImageDue, NO_IMAGE } from '../../../src/hub/documents/image-due.ts';

const NOW_MS = 1_000_000;
const INTERVAL_MS = 30_000;
/** The document was set as a whole at offset 100, just now, and has 1,000 bytes. */
const SET = { offset: 100, publishedAtMs: NOW_MS, baseOffset: 100, baseAtMs: NOW_MS, changes: 0, changedBytes: 0, bytes: 1000 };
const CHANGED = { ...SET, offset: 110, changes: 10, changedBytes: 1000 };
const RETENTION = { countMax: 1000, maxAgeMs: 86_400_000, firstOffset: 1, lastOffset: 110 };
/** As of offset 100, and not a moment too old. */
const IMAGE = { storedAt: 105, atMs: NOW_MS - INTERVAL_MS, covers: 100, bytes: 1000, changes: 0, changedBytes: 0 };

function due(question: Partial<DueQuestion>): boolean {
  return isImageDue({
    progress: CHANGED,
    image: NO_IMAGE,
    closing: false,
    intervalMs: INTERVAL_MS,
    retention: RETENTION,
    nowMs: NOW_MS,
    ...question,
  });
}

describe('an image of a document', () => {
  it('is due when what has changed takes as much as the document', () => {
    expect(due({})).toBe(true);
    expect(due({ progress: { ...CHANGED, changedBytes: 999 } })).toBe(false);
    expect(due({ progress: SET })).toBe(false);
    expect(due({ image: { ...IMAGE, changedBytes: 1 } })).toBe(false);
  });

  it('is due once an interval, and only where something changed', () => {
    expect(due({ image: IMAGE })).toBe(true);
    expect(due({ image: { ...IMAGE, atMs: IMAGE.atMs + 1 } })).toBe(false);
    expect(due({ image: { ...IMAGE, covers: 110, changes: 10, changedBytes: 1000 } })).toBe(false);
  });

  it('is due when the topic closes, however little has changed', () => {
    const little = { ...CHANGED, changes: 1, changedBytes: 1 };
    expect(due({ progress: little })).toBe(false);
    expect(due({ progress: little, closing: true })).toBe(true);
    expect(due({ progress: little, closing: true, image: { ...IMAGE, atMs: NOW_MS - 1 } })).toBe(false);
    expect(due({ progress: SET, closing: true })).toBe(false);
    expect(due({ progress: { ...SET, offset: 0, baseOffset: 0 }, closing: true })).toBe(false);
  });

  it.each([
    ['by count', { retention: { ...RETENTION, countMax: 20 } }, { retention: { ...RETENTION, countMax: 21 } }],
    ['by age', { retention: { ...RETENTION, maxAgeMs: 2 * INTERVAL_MS } }, { retention: { ...RETENTION, maxAgeMs: 2 * INTERVAL_MS + 2 } }],
    [
      'by size',
      { retention: { ...RETENTION, firstOffset: 101, lastOffset: 110 } },
      { retention: { ...RETENTION, firstOffset: 90, lastOffset: 110 } },
    ],
  ])('is due sooner if the log may soon remove %s what the document is folded from', (_, near, far) => {
    const little = { ...CHANGED, changedBytes: 1 };
    const image = { ...IMAGE, atMs: NOW_MS - INTERVAL_MS + 1 };
    const aged = { ...little, baseAtMs: NOW_MS - INTERVAL_MS };
    expect(due({ progress: aged, ...near })).toBe(true);
    expect(due({ progress: aged, ...far })).toBe(false);
    // Just stored.
    expect(due({ progress: aged, ...near, image: { ...image, atMs: NOW_MS - 999 } })).toBe(false);
  });

  it('is not due while another whole publication came later', () => {
    const again = { ...SET, offset: 120, baseOffset: 120 };
    expect(due({ progress: again, image: IMAGE })).toBe(false);
    expect(due({ progress: { ...again, changes: 1, changedBytes: 1000, offset: 121 }, image: { ...IMAGE, changes: 50 } })).toBe(true);
  });
});
