import { describe, expect, it } from 'vitest';
import { Lingering } from '../../src/hub/lingering.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { until } from '../support/until.ts';

const topicOf = (n: number) => `scores.t${n}` as Topic;

describe('Lingering', () => {
  it('closes some of very many in each loop turn, the oldest first, so that everything else goes on', async () => {
    const lingering = new Lingering(0);
    const closed: number[] = [];
    const closedAtTurns: number[] = [];
    const COUNT = 20;
    for (let n = 0; n < COUNT; n++) {
      lingering.add(topicOf(n), () => {
        closed.push(n);
        for (const startMs = performance.now(); performance.now() - startMs < 1; );
      });
    }
    while (closed.length < COUNT) {
      await new Promise(setImmediate);
      closedAtTurns.push(closed.length);
    }
    expect(closed).toEqual(Array.from({ length: COUNT }, (_, n) => n));
    expect(new Set(closedAtTurns.filter((count) => count > 0)).size).toBeGreaterThan(3);
    expect(lingering.oldest).toBeUndefined();
  });

  it('closes those that come while others are closed, and none that is wanted again', async () => {
    const lingering = new Lingering(0);
    const closed: string[] = [];
    const add = (name: string, more: () => void = () => undefined) =>
      lingering.add(name as Topic, () => {
        closed.push(name);
        more();
      });
    add('scores.*', () => add('scores.late'));
    add('scores.a', () => lingering.remove('scores.b' as Topic));
    add('scores.b');
    await until('the last to be closed', () => closed.includes('scores.late'));
    expect(closed).toEqual(['scores.a', 'scores.*', 'scores.late']);
  });
});
