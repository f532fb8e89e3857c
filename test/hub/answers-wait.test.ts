import { afterEach, describe, expect, it } from 'vitest';
import type { HubEnd } from '../../src/link/link.ts';
import type { ToHub, ToWorker } from '../../src/link/messages.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { TestHub } from '../support/test-hub.ts';
import { until } from '../support/until.ts';

const TOPIC = 'plain.a' as Topic;
const BYTES_MAX = 10_000;

/** A link on which as much waits as the test says. */
class Link implements HubEnd {
  queuedBytes = 0;
  readonly sent: ToWorker[] = [];
  tell: (messages: readonly ToHub[]) => void = () => undefined;

  send(message: ToWorker): void {
    this.sent.push(message);
  }

  onMessages(listener: (messages: readonly ToHub[]) => void): void {
    this.tell = listener;
  }

  onClose(): void {}
  close(): void {}

  kinds(...of: readonly ToWorker['kind'][]): ToWorker['kind'][] {
    return this.sent.map(({ kind }) => kind).filter((kind) => of.includes(kind));
  }
}

let hub: TestHub;
afterEach(() => hub.stop());

describe('answers with parts of the past', () => {
  it('wait in the hub while more than tuning.hub.linkAnswersBytesMax is under way to the worker; publications go before them', async () => {
    hub = new TestHub({ 'tuning.hub.linkAnswersBytesMax': BYTES_MAX });
    const link = new Link();
    hub.attach(link);
    hub.publish(TOPIC, 5);
    link.tell([{ kind: 'open', topic: TOPIC }]);
    const { epoch } = (await hub.open(TOPIC)) as Extract<ToWorker, { kind: 'opened' }>;
    await until('it is open', () => link.kinds('opened').length === 1);

    link.queuedBytes = BYTES_MAX + 1;
    const page = { topic: TOPIC, epoch, after: 0, limit: 5, bytesMax: 100_000 };
    link.tell([
      { kind: 'read', requestId: 1, ...page },
      { kind: 'recover', requestId: 2, topic: TOPIC, after: 0 },
      { kind: 'readLast', requestId: 3, topic: TOPIC, count: 5, bytesMax: 100_000 },
    ]);
    // The other worker's link has room.
    expect((await hub.ask({ kind: 'read', ...page })).kind).toBe('items');
    hub.publish(TOPIC, 1);
    await hub.until((message) => message.kind === 'publication');
    expect(link.kinds('publication', 'items', 'recovery')).toEqual(['publication']);

    link.queuedBytes = BYTES_MAX;
    await until('the answers', () => link.kinds('items', 'recovery').length === 3);
    expect(link.kinds('publication', 'items', 'recovery').sort()).toEqual(['items', 'items', 'publication', 'recovery']);
  });
});
