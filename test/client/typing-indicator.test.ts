import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { typingIndicator } from '../../src/client/events.ts';
import type { Item } from '../../src/client/item.ts';

/** A client whose topic the test delivers to. */
class StubClient {
  readonly sent: unknown[] = [];
  accepts = true;
  unsubscribed = false;
  options: object | undefined;
  #deliver = (_item: Item) => {};

  topic(_name: string, options: object) {
    this.options = options;
    return {
      subscribe: (onItem: (item: Item) => void) => {
        this.#deliver = onItem;
        return () => {
          this.unsubscribed = true;
        };
      },
    };
  }

  publishVolatile(topic: string, data: unknown): boolean {
    if (this.accepts) this.sent.push([topic, data]);
    return this.accepts;
  }

  deliver(origin: string | undefined, data: unknown = { event: 'typing:start', data: null }): void {
    this.#deliver({ origin, data } as Item);
  }
}

describe('typingIndicator', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const start = (options = {}) => {
    const client = new StubClient();
    const shown: string[][] = [];
    return { client, shown, typing: typingIndicator(client, 'typing.a', (users) => shown.push(users), options) };
  };

  it('reports a user at the first key, and again only after repeatMs', () => {
    const { client, typing } = start();
    expect([typing.press(), typing.press()]).toEqual([true, false]);
    vi.advanceTimersByTime(1999);
    expect(typing.press()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(typing.press()).toBe(true);
    expect(client.sent).toEqual(Array(2).fill(['typing.a', { event: 'typing:start', data: null }]));
    expect(client.options).toMatchObject({ echo: false });
  });

  it('tries again with the next key if the report could not be sent', () => {
    const { client, typing } = start();
    client.accepts = false;
    expect(typing.press()).toBe(false);
    client.accepts = true;
    expect(typing.press()).toBe(true);
  });

  it('shows each user once, until expiresMs after the last report', () => {
    const { client, shown } = start();
    client.deliver('ann');
    vi.advanceTimersByTime(4000);
    client.deliver('ann');
    client.deliver('bob');
    vi.advanceTimersByTime(4999);
    expect(shown).toEqual([['ann'], ['ann', 'bob']]);
    vi.advanceTimersByTime(1);
    expect(shown.slice(2)).toEqual([['bob'], []]);
  });

  it('forgets a user whose message has arrived', () => {
    const { client, shown, typing } = start();
    client.deliver('ann');
    typing.remove('ann');
    typing.remove('nobody');
    vi.advanceTimersByTime(10_000);
    expect(shown).toEqual([['ann'], []]);
  });

  it('ignores what is no report, and more than usersMax', () => {
    const { client, shown } = start({ usersMax: 2 });
    for (const data of [null, 1, 'typing:start', {}, { event: 'other' }]) client.deliver('ann', data);
    client.deliver(undefined);
    expect(shown).toEqual([]);
    for (const user of ['a', 'b', 'c']) client.deliver(user);
    expect(shown.at(-1)).toEqual(['a', 'b']);
  });

  it('leaves no timer, and reports nothing, after stop', () => {
    const { client, shown, typing } = start();
    client.deliver('ann');
    typing.stop();
    expect([client.unsubscribed, vi.getTimerCount()]).toEqual([true, 0]);
    vi.advanceTimersByTime(10_000);
    expect(shown).toEqual([['ann']]);
  });

  it('refuses a callback that is none', () => {
    expect(() => typingIndicator(new StubClient(), 'typing.a', undefined as never)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
