import { describe, expect, it } from 'vitest';
import { MemberCost } from '../../src/fanout/member-cost.ts';
import { Quantum } from '../../src/fanout/quantum.ts';

describe('Quantum', () => {
  it('settles where a turn takes the wanted time, on a fast machine and a slow one, from either side', () => {
    const quantum = new Quantum(5, 10);
    for (const usPerMember of [8, 2, 40, 8]) {
      for (let turn = 0; turn < 60; turn++) quantum.adapt((quantum.members * usPerMember) / 1000);
      const gapMs = (quantum.members * usPerMember) / 1000;
      expect(gapMs).toBeGreaterThanOrEqual(5);
      expect(gapMs).toBeLessThanOrEqual(10);
    }
  });

  it('leaves a good gap alone, at its bounds too', () => {
    const quantum = new Quantum(5, 10);
    const { members } = quantum;
    for (const gapMs of [5, 7, 10]) quantum.adapt(gapMs);
    expect(quantum.members).toBe(members);
  });

  it('has a minimum and a maximum, for any gaps', () => {
    const quantum = new Quantum(5, 10);
    for (let turn = 0; turn < 200; turn++) quantum.adapt(10_000);
    expect(quantum.members).toBe(100);
    for (let turn = 0; turn < 200; turn++) quantum.adapt(0);
    expect(quantum.members).toBe(20_000);
  });
});

describe('MemberCost', () => {
  it('learns the cost of a member from full turns, and limits the effect of a stall', () => {
    const cost = new MemberCost();
    for (let turn = 0; turn < 100; turn++) cost.learn(5, 1000);
    expect(cost.ms).toBeCloseTo(0.005, 4);
    cost.learn(60_000, 1000);
    expect(cost.ms).toBeLessThan(0.01);
    cost.learn(5, 0);
    expect(cost.ms).toBeLessThan(0.01);
  });
});
