import { describe, expect, it } from 'vitest';
import type { IncomingRequest } from '../../src/bus/requests.ts';
import { until } from '../support/until.ts';
import type { BusFixture } from './bus-fixture.ts';

const bytes = (text: string) => Buffer.from(text);

export function describeRequests(fixture: BusFixture): void {
  describe('requests of servers', () => {
    it('come to those that listen to a matching address, with their format and whether they are volatile, and are answered', async () => {
      await fixture.start();
      const heard: IncomingRequest[] = [];
      const stops = [
        fixture.bus.onRequest('call.connection.n-1.*.>', (request) => {
          heard.push(request);
          request.answer?.({ kind: 'result', payload: bytes(`[${request.payload}]`), payloadKind: 'json' });
        }),
        fixture.bus.onRequest('call.connection.n-2.*.>', (request) =>
          request.answer?.({ kind: 'serviceError', code: 'no', text: 'not\nnow' }),
        ),
      ];
      const request = { payload: bytes('1'), payloadKind: 'json', timeoutMs: 5000 } as const;
      const answer = await fixture.bus.request('call.connection.n-1.17.cart.read', { ...request, volatile: true });
      expect(answer).toMatchObject({ kind: 'result', payloadKind: 'json' });
      expect(answer.kind === 'result' && Buffer.from(answer.payload).toString()).toBe('[1]');
      expect(heard).toMatchObject([{ address: 'call.connection.n-1.17.cart.read', payloadKind: 'json', volatile: true, timeoutMs: 5000 }]);
      const refused = await fixture.bus.request('call.connection.n-2.1.m', request);
      expect(refused).toMatchObject({ kind: 'serviceError', code: 'no', text: expect.stringMatching(/^not\snow$/) });
      for (const stop of stops) stop();
      await until('nobody to listen any more', async () => {
        const failure = fixture.bus.request('call.connection.n-1.17.m', { ...request, timeoutMs: 1000 });
        return (await failure.catch((error) => error)).code === 'no_responders';
      });
    });

    it('fail if nobody answers in time', async () => {
      await fixture.start();
      const stop = fixture.bus.onRequest('send.connection.n-1.*', () => undefined);
      const request = fixture.bus.request('send.connection.n-1.1', { payload: bytes('1'), payloadKind: 'json', timeoutMs: 20 });
      await expect(request).rejects.toMatchObject({ code: 'call_timeout' });
      stop();
    });

    it('reach every listener when nobody waits for an answer', async () => {
      await fixture.start();
      const heard: string[] = [];
      const stops = ['a', 'b'].map((name) =>
        fixture.bus.onRequest('send.namespace.*', ({ address, payload, payloadKind, answer }) => {
          heard.push(`${name} ${address} ${payload} ${payloadKind} ${answer}`);
        }),
      );
      await fixture.bus.send('send.namespace.chat', bytes('1'), 'msgpack');
      await until('both to hear it', () => heard.length === 2);
      expect(heard.sort()).toEqual(['a', 'b'].map((name) => `${name} send.namespace.chat 1 msgpack undefined`));
      for (const stop of stops) stop();
    });
  });
}
