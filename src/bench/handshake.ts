/** A fixed key: what the server makes of it is not what is measured. */
const KEY = 'c3RlbnRvci1sb2FkdGVzdA==';
const END = Buffer.from('\r\n\r\n');

export function upgradeRequest(host: string, path: string, subprotocol: string | undefined, token?: string): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${KEY}`,
  ];
  if (subprotocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${subprotocol}`);
  if (token !== undefined) lines.push(`Authorization: Bearer ${token}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

export type UpgradeAnswer =
  | { readonly kind: 'partial' }
  | { readonly kind: 'open'; readonly restAt: number }
  | { readonly kind: 'refused'; readonly status: string };

export function readUpgradeAnswer(bytes: Buffer, length: number): UpgradeAnswer {
  const end = bytes.indexOf(END);
  if (end < 0 || end + END.length > length) return { kind: 'partial' };
  const status = bytes.toString('latin1', 0, bytes.indexOf('\r\n'));
  if (!status.startsWith('HTTP/1.1 101')) return { kind: 'refused', status };
  return { kind: 'open', restAt: end + END.length };
}
