import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heartbeat } from '../../src/session/heartbeat.ts';

interface Peer {
  heartbeatSlot: number;
  awaitsPong: boolean;
  missedPongs: number;
  answers: boolean;
}

const peer = (answers: boolean): Peer => ({ heartbeatSlot: 0, awaitsPong: false, missedPongs: 0, answers });

/** A wheel whose peers answer at once, or never. Time is counted in ticks; a ping interval has `ticksPerInterval` of them. */
function setUp({ pingIntervalMs = 25_000, pongTimeoutMs = 5000, random = Math.random } = {}) {
  let tick = 0;
  const pings: { peer: Peer; tick: number }[] = [];
  const lost: { peer: Peer; tick: number }[] = [];
  const heartbeat: Heartbeat<Peer> = new Heartbeat(
    pingIntervalMs,
    pongTimeoutMs,
    {
      ping: (pinged: Peer) => {
        pings.push({ peer: pinged, tick });
        if (pinged.answers) heartbeat.heard(pinged);
      },
      lost: (gone: Peer) => {
        lost.push({ peer: gone, tick });
        heartbeat.remove(gone);
      },
    },
    random,
  );
  const run = (ticks: number) => {
    for (let i = 0; i < ticks; i++, tick++) heartbeat.tick();
  };
  const tickMs = pingIntervalMs / Heartbeat.ticksPerInterval;
  return { heartbeat, pings, lost, run, tickMs };
}

describe('Heartbeat', () => {
  it('pings every peer once a round', () => {
    const { heartbeat, pings, run } = setUp();
    const peers = Array.from({ length: 200 }, () => peer(true));
    for (const one of peers) heartbeat.add(one);
    run(Heartbeat.ticksPerInterval);
    expect(new Set(pings.map((ping) => ping.peer)).size).toBe(200);
    expect(pings).toHaveLength(200);
    run(Heartbeat.ticksPerInterval * 3);
    expect(pings).toHaveLength(800);
  });

  it('spreads peers that connected at the same time over the round', () => {
    let next = 0;
    const { heartbeat, pings, run } = setUp({ random: () => ((next++ % 50) + 0.5) / 50 });
    for (let i = 0; i < 1000; i++) heartbeat.add(peer(true));
    run(Heartbeat.ticksPerInterval);
    const perTick = new Map<number, number>();
    for (const { tick } of pings) perTick.set(tick, (perTick.get(tick) ?? 0) + 1);
    expect([...perTick.values()]).toEqual(Array(Heartbeat.ticksPerInterval).fill(20));
  });

  it('never closes one that answers', () => {
    const { heartbeat, lost, run } = setUp();
    for (let i = 0; i < 100; i++) heartbeat.add(peer(true));
    run(Heartbeat.ticksPerInterval * 20);
    expect(lost).toEqual([]);
  });

  it.each([
    [25_000, 5000, 30_000, 55_000],
    [1000, 200, 1200, 2200],
    [1000, 5000, 1980, 3000],
  ])(
    'with pings every %i ms and %i ms for the pong finds a vanished peer after %i to %i ms',
    (pingIntervalMs, pongTimeoutMs, soonestMs, latestMs) => {
      fc.assert(
        fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(200), (place, ticksBefore) => {
          const { heartbeat, lost, run, tickMs } = setUp({ pingIntervalMs, pongTimeoutMs, random: () => place });
          const one = peer(true);
          run(7);
          heartbeat.add(one);
          run(ticksBefore);
          one.answers = false;
          run(Math.ceil(latestMs / tickMs) + 1);
          expect(lost).toHaveLength(1);
          const vanishedMs = (lost[0]!.tick - 7 - ticksBefore + 1) * tickMs;
          expect(vanishedMs).toBeGreaterThanOrEqual(soonestMs);
          expect(vanishedMs).toBeLessThanOrEqual(latestMs + tickMs);
        }),
      );
    },
  );

  it('tolerates one missed pong', () => {
    const { heartbeat, lost, run } = setUp({ random: () => 0 });
    const one = peer(false);
    heartbeat.add(one);
    for (let round = 0; round < 10; round++) {
      one.answers = round % 2 === 0;
      run(Heartbeat.ticksPerInterval);
    }
    expect(lost).toEqual([]);
  });

  it('counts anything it receives as a sign of life', () => {
    const { heartbeat, lost, run } = setUp({ random: () => 0 });
    const quiet = peer(false);
    heartbeat.add(quiet);
    for (let round = 0; round < 10; round++) {
      run(Heartbeat.ticksPerInterval / 2);
      heartbeat.heard(quiet);
      run(Heartbeat.ticksPerInterval / 2);
    }
    expect(lost).toEqual([]);
  });

  it('does not ping closed peers', () => {
    const { heartbeat, pings, run } = setUp();
    const one = peer(true);
    heartbeat.add(one);
    heartbeat.remove(one);
    heartbeat.remove(peer(true));
    run(Heartbeat.ticksPerInterval * 2);
    expect(pings).toEqual([]);
  });
});
