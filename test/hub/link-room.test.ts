import { describe, expect, it } from 'vitest';
import { HubTopic } from '../../src/hub/hub-topic.ts';
import { LinkRoom } from '../../src/hub/link-room.ts';
import { LINK_ITEM_FORM } from '../../src/hub/recent-items.ts';
import type { HubEnd } from '../../src/link/link.ts';
import type { ToWorker } from '../../src/link/messages.ts';
import type { Topic } from '../../src/protocol/topic.ts';
import { RecentBudget } from '../../src/recent/budget.ts';
import { WIDE } from '../support/recent-fixtures.ts';
import { until } from '../support/until.ts';

/** A link that takes what the test lets it. */
class Link implements HubEnd {
  queuedBytes = 0;
  readonly sent: ToWorker[] = [];

  send(message: ToWorker): void {
    this.sent.push(message);
    this.queuedBytes += 100;
  }

  onMessages(): void {}
  onClose(): void {}
  close(): void {}
}

const topicOf = (room: LinkRoom) =>
  new HubTopic({
    topic: 'scores.a' as Topic,
    number: 1,
    durable: true,
    state: 'last',
    recent: new RecentBudget(LINK_ITEM_FORM, WIDE),
    whenRoom: (link, tell) => room.whenRoom(link, tell),
  });
const state = (offset: number, epoch = 'e1') => ({ epoch, offset, completeFrom: offset, items: [] });
const item = (offset: number) => ({ offset, key: null, data: Buffer.of(1), publishedAtMs: 0 });
const kinds = ({ sent }: Link) => sent.map(({ kind }) => kind);

describe('states on a link that has much to take', () => {
  it('wait for room, in order', async () => {
    const room = new LinkRoom(150);
    const link = new Link();
    const told: number[] = [];
    for (let n = 0; n < 5; n++) {
      room.whenRoom(link, () => {
        told.push(n);
        link.queuedBytes += 100;
      });
    }
    expect(told).toEqual([0, 1]);
    link.queuedBytes = 0;
    await until('the next two', () => told.length === 4);
    link.queuedBytes = 100;
    await until('the last', () => told.length === 5);
    expect(told).toEqual([0, 1, 2, 3, 4]);
    room.stop();
  });

  it('are those of the moment in which they are sent, and no publication is sent before them', async () => {
    const room = new LinkRoom(150);
    const [quick, full] = [new Link(), new Link()];
    full.queuedBytes = 1000;
    const topic = topicOf(room);
    for (const link of [quick, full]) topic.addWorker(link);
    topic.open(state(5));
    topic.publish(item(6));
    expect([kinds(quick), kinds(full)]).toEqual([['opened', 'publication'], []]);
    full.queuedBytes = 0;
    await until('the state', () => full.sent.length === 1);
    expect(full.sent[0]).toMatchObject({ kind: 'opened', offset: 6 });
    topic.publish(item(7));
    expect(full.sent[1]).toMatchObject({ kind: 'publication', prev: 6 });
    room.stop();
  });

  it('are resyncs for workers with the state of another epoch, and void when yet another begins', async () => {
    const room = new LinkRoom(150);
    const link = new Link();
    const topic = topicOf(room);
    topic.addWorker(link);
    topic.open(state(5));
    link.queuedBytes = 1000;
    topic.startBuffering();
    topic.open(state(3, 'e2'), 'rolled back');
    topic.startBuffering();
    topic.open(state(4, 'e3'), 'once more');
    topic.publish(item(5));
    link.queuedBytes = 0;
    await until('the resync', () => link.sent.length === 2);
    expect(link.sent[1]).toMatchObject({ kind: 'resync', epoch: 'e3', offset: 5, reason: expect.any(String) });
    await new Promise((resolve) => setImmediate(resolve));
    expect(link.sent).toHaveLength(2);
    room.stop();
  });

  it('are not sent to workers that have left meanwhile', async () => {
    const room = new LinkRoom(150);
    const [leaving, gone] = [new Link(), new Link()];
    for (const link of [leaving, gone]) link.queuedBytes = 1000;
    const topic = topicOf(room);
    topic.open(state(5));
    for (const link of [leaving, gone]) topic.addWorker(link);
    topic.removeWorker(leaving);
    room.forget(gone);
    let told = false;
    room.whenRoom(leaving, () => {
      told = true;
    });
    for (const link of [leaving, gone]) link.queuedBytes = 0;
    await until('the callback that waits behind them', () => told);
    expect([leaving.sent, gone.sent]).toEqual([[], []]);
    room.stop();
  });
});
