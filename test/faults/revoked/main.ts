import { serveCalls } from '../../../loadtest/core/rpc.ts';
import { TestClient } from '../../support/test-client.ts';
import { monoMs } from '../time.ts';
import type { RevokedReport, RevokedSettings, RevokeRequest } from './settings.ts';

let client: TestClient | undefined;

serveCalls({ connect, revoke });

async function connect({ port, token, topic }: RevokedSettings): Promise<void> {
  client = await TestClient.connect(`ws://127.0.0.1:${port}/ws`, { encoding: 'json', token });
  client.track(topic);
  await client.subscribe(topic);
}

async function revoke({ adminPort, adminToken, body }: RevokeRequest): Promise<RevokedReport> {
  if (client === undefined) throw new Error('not connected');
  const askedAtMs = monoMs();
  const closed = client.closed.then(({ code }) => ({ code, closedAfterMs: monoMs() - askedAtMs }));
  const { ok, status } = await fetch(`http://127.0.0.1:${adminPort}/api/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}` },
    body: JSON.stringify(body),
  });
  if (!ok) throw new Error(`the revocation was answered with ${status}`);
  return closed;
}
