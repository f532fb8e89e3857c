import { afterEach, describe, expect, it } from 'vitest';
import type { ToWorker } from '../../src/link/messages.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { TestHub } from '../support/test-hub.ts';

const OPENINGS_MAX = 256;
const hubs: TestHub[] = [];
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.stop();
});

interface Reads {
  topics: string[];
  atOnceMax: number;
}

/** A hub, and which topics' states it reads. */
function start(settings: Readonly<Record<string, unknown>> = {}): { hub: TestHub; reads: Reads } {
  const hub = new TestHub(settings);
  hubs.push(hub);
  const reads: Reads = { topics: [], atOnceMax: 0 };
  let now = 0;
  const snapshot = hub.plain.snapshot.bind(hub.plain);
  hub.plain.snapshot = async (topic, after) => {
    reads.topics.push(topic);
    reads.atOnceMax = Math.max(reads.atOnceMax, ++now);
    try {
      return await snapshot(topic, after);
    } finally {
      now--;
    }
  };
  return { hub, reads };
}

const names = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `plain.t${from + i}` as Topic);
const toldOf = (hub: TestHub, kind: ToWorker['kind']) => hub.told.filter((message) => message.kind === kind);

describe('topics that are asked for all at once', () => {
  it('are all opened, a limited number at a time', async () => {
    const { hub, reads } = start();
    for (const topic of names(1000)) hub.send({ kind: 'open', topic });
    await hub.until(() => toldOf(hub, 'opened').length === 1000);
    expect(reads.atOnceMax).toBeLessThanOrEqual(OPENINGS_MAX);
    expect(new Set(reads.topics).size).toBe(1000);
  });

  it('are not read if their last subscriber has left before their turn, and are read at the next subscribe', async () => {
    const { hub, reads } = start({ 'tuning.hub.topicLingerMs': 600_000 });
    const all = names(1000);
    for (const topic of all) hub.send({ kind: 'open', topic });
    for (const topic of all.slice(300, 900)) hub.send({ kind: 'close', topic });
    await hub.until(() => toldOf(hub, 'opened').length === 400);
    expect(reads.topics).not.toContain('plain.t500');
    expect(reads.topics.length).toBe(400);
    await hub.open('plain.t500');
    expect(reads.topics).toContain('plain.t500');
  });

  it('get `busy` immediately above the limit of waiting ones, and can be opened later', async () => {
    const { hub } = start({ 'tuning.nats.readsWaitingMax': 10 });
    for (const topic of names(OPENINGS_MAX + 12)) hub.send({ kind: 'open', topic });
    await hub.until(() => toldOf(hub, 'opened').length === OPENINGS_MAX + 10);
    const refused = toldOf(hub, 'openFailed');
    expect(refused).toMatchObject([{ code: 'busy' }, { code: 'busy' }]);
    const topic = (refused[0] as { topic: string }).topic;
    hub.told.length = 0;
    expect(await hub.open(topic)).toMatchObject({ kind: 'opened' });
  });
});
