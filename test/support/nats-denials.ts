import net from 'node:net';

export interface Login {
  readonly port: number;
  readonly user: string;
  readonly pass: string;
}

/** What a NATS user tries. */
export interface Attempt {
  readonly right: 'publish' | 'subscribe';
  readonly subject: string;
}

/** Tries each with NATS' own protocol. @returns those that the server denied, as `publish feed.a` */
export function denials({ port, user, pass }: Login, attempts: readonly Attempt[]): Promise<Set<string>> {
  const lines = attempts.map(({ right, subject }, i) =>
    right === 'publish' ? `PUB ${subject} 2\r\n{}\r\n` : `SUB ${subject} ${i + 1}\r\n`,
  );
  const options = JSON.stringify({ user, pass, verbose: false, pedantic: false, headers: true });
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(`CONNECT ${options}\r\n${lines.join('')}PING\r\n`));
    socket.on('data', (bytes) => {
      text += bytes.toString();
      // The server answers in order, so it has decided about everything before the ping.
      if (text.includes('PONG\r\n')) socket.end();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      if (!text.includes('PONG\r\n')) return reject(new Error(`the server ended the connection: ${text}`));
      const found = text.matchAll(/-ERR 'Permissions Violation for (Publish|Subscription) to "([^"]+)"/g);
      resolve(new Set(Array.from(found, ([, what, subject]) => `${what === 'Publish' ? 'publish' : 'subscribe'} ${subject}`)));
    });
  });
}
