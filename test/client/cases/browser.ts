import { type Case, until } from './case-context.ts';

/** What only a page has. */
export const BROWSER: readonly Case[] = (['online', 'visibilitychange'] as const).map((event) => ({
  name: `does not sit out its backoff when the page gets the event ${event}`,
  async run(context) {
    const client = await context.connected({ backoff: { baseMs: 600_000, maxMs: 600_000, jitterMs: 0 } });
    await context.remote.run('cut');
    await until('the backoff', () => client.state.status === 'reconnecting' && client.state.nextAttemptAtMs !== undefined);
    const page = globalThis as unknown as EventTarget & { readonly document: EventTarget };
    (event === 'online' ? page : page.document).dispatchEvent(new Event(event));
    await until('the connection', () => client.state.status === 'connected');
  },
}));
