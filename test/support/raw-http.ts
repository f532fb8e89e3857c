import net from 'node:net';

/**
 * What a server answers to exactly these bytes, until it closes the connection or a WebSocket begins.
 *
 * @param text several: each is a segment of its own, sent when the server has been busy with other connections
 */
export function rawRequest(port: number, text: string | readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const [first = '', ...rest] = typeof text === 'string' ? [text] : text;
    const socket = net.connect(port, '127.0.0.1', async () => {
      socket.setNoDelay(true);
      socket.write(first);
      for (const part of rest) {
        // An answered request: the server has read what came before.
        await rawRequest(port, 'GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n');
        socket.write(part);
      }
    });
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1');
      if (answer.startsWith('HTTP/1.1 101') && answer.includes('\r\n\r\n')) socket.destroy();
    });
    socket.once('close', () => resolve(answer));
    socket.once('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
  });
}

/** An upgrade request with these header lines more. */
export function rawUpgrade(lines: readonly string[] = [], path = '/ws'): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...lines,
    '',
    '',
  ].join('\r\n');
}

export function statusOf(answer: string): number {
  return Number(answer.split(' ')[1]);
}
