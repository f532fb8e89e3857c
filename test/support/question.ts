import type { CallQuestion } from '../../src/bus/requests.ts';

/** A call as a node makes it. */
export function question(method: string, text = '1', timeoutMs = 5000): CallQuestion {
  const caller = { user: 'ann', connectionId: 'c1', nodeId: 'n1' };
  return { method, payload: Buffer.from(text), payloadKind: 'json', timeoutMs, caller };
}
