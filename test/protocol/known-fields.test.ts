import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { knownFieldsOf } from '../../src/protocol/known-fields.ts';
import { CLIENT_MESSAGES, type ClientMessage } from '../../src/protocol/messages.ts';
import { arbitraryOf, jsonData } from '../support/arbitrary.ts';

describe('a message without the fields that its schema does not name', () => {
  it.each(Object.entries(CLIENT_MESSAGES))('is %s as it was said, whatever was said with it', (_type, schema) => {
    const said = arbitraryOf(schema, jsonData()) as fc.Arbitrary<ClientMessage>;
    fc.assert(
      fc.property(said, fc.dictionary(fc.constantFrom('x', 'since', 'toJSON', 'constructor'), fc.constant([[[]]])), (message, more) => {
        const unknown = Object.fromEntries(Object.entries(more).filter(([name]) => !(name in schema.properties)));
        expect(knownFieldsOf({ ...unknown, ...message } as ClientMessage)).toEqual(message);
      }),
      { numRuns: 100 },
    );
  });

  it('has a position without more than that', () => {
    const since = { epoch: 'e', offset: 1 };
    const message = { type: 'subscribe', id: 1, topic: 'a.b', since };
    expect(knownFieldsOf({ ...message, since: { ...since, x: [[]] } } as ClientMessage)).toEqual(message);
  });

  it('is the message itself if it has none, because that costs nothing', () => {
    const message = { type: 'subscribe', id: 1, topic: 'a.b', since: { epoch: 'e', offset: 1 } } as ClientMessage;
    expect(knownFieldsOf(message)).toBe(message);
  });
});
