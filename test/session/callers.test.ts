import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { Callers } from '../../src/session/requests/callers.ts';

const FEWEST = 16;

it('remembers the rates of so many callers (callersMax); more get busy, until others have been silent for two seconds', () => {
  const { config } = loadConfig({ env: {}, flags: { 'tuning.http.callersMax': FEWEST } });
  const callers = new Callers(config);
  for (let i = 0; i < FEWEST; i++) callers.take(`user ${i}`, 10, 1000);
  const one = () => callers.take('one more', 10, 3001);
  expect(one).toThrow(expect.objectContaining({ code: 'busy', retryAfterMs: 2000 }));
  // Who is known goes on.
  const busy = callers.take('user 0', 10, 3000);
  busy.requestsInFlight++;
  callers.forgetOld(3001);
  expect(callers.size).toBe(1);
  one();
  callers.forgetOld(10_000);
  expect(callers.size).toBe(1);
});
