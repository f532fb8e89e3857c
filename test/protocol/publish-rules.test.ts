import { describe, expect, it } from 'vitest';
import { assertTopicFits, keyProblem, sizeProblem, topicProblem } from '../../src/protocol/publish-rules.ts';
import { parseTopic } from '../../src/protocol/topic.ts';

const topic = parseTopic('ticks.nasdaq');

describe('the rules of a publish', () => {
  it('want a configured namespace, and its number of tokens where it has one', () => {
    expect(topicProblem(topic, undefined)?.code).toBe('unknown_namespace');
    expect(topicProblem(topic, { topicTokens: 0 })).toBeUndefined();
    expect(topicProblem(topic, { topicTokens: 2 })).toBeUndefined();
    expect(topicProblem(topic, { topicTokens: 3 })).toEqual({
      code: 'bad_topic',
      message: 'ticks.nasdaq has 2 tokens; topics of this namespace have 3',
    });
    expect(topicProblem(parseTopic('ticks'), { topicTokens: 3 })?.message).toMatch(/^ticks has 1 token;/);
  });

  it('want a key in keyed topics and only there', () => {
    const codes = (['keyed', 'last'] as const).map((state) => [true, false].map((hasKey) => keyProblem(topic, hasKey, { state })?.code));
    expect(codes).toEqual([
      [undefined, 'key_required'],
      ['key_not_allowed', undefined],
    ]);
  });

  it('bound the payload, the bound itself included', () => {
    expect([999, 1000, 1001].map((bytes) => sizeProblem(bytes, { maxPayloadBytes: 1000 })?.code)).toEqual([
      undefined,
      undefined,
      'message_too_big',
    ]);
  });

  it('as an assertion return the namespace, or throw with the code', () => {
    const namespace = { topicTokens: 2, name: 'ticks' };
    expect(assertTopicFits(topic, namespace)).toBe(namespace);
    expect(() => assertTopicFits(topic, { topicTokens: 3 })).toThrow(expect.objectContaining({ name: 'ProtocolError', code: 'bad_topic' }));
  });
});
