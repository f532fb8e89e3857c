import fc from 'fast-check';
import { isKey } from '../../src/protocol/topic.ts';

/** Keys of every kind that this field has, and some that it has not. */
export const KEYS = [
  'AAPL',
  'BRK.B',
  'BTC/USDT',
  'EUR=X',
  '105433.6',
  'a b',
  '*',
  '>',
  '"\\',
  'A=2E',
  '日本',
  '😀',
  'ü'.repeat(64),
] as const;

/** Any key. */
export const anyKey = fc
  .oneof(
    fc.constantFrom(...KEYS),
    fc.string({ unit: fc.constantFrom('A', 'z', '0', '_', '-', '=', '.', '/', '2', 'E', 'é'), minLength: 1, maxLength: 20 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
  )
  .filter(isKey);
