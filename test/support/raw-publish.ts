import { connect } from 'node:net';

/** Publishes with headers as they are, which no client library would send. Resolves when the server has taken it. */
export async function rawPublish(port: number, subject: string, rawHeaders: string, payload: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const total = rawHeaders.length + payload.length;
  socket.write(
    `CONNECT {"verbose":false,"headers":true}\r\nHPUB ${subject} ${rawHeaders.length} ${total}\r\n${rawHeaders}${payload}\r\nPING\r\n`,
    'latin1',
  );
  await new Promise<void>((resolve, reject) => {
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
      if (answer.includes('-ERR')) reject(new Error(answer));
      else if (answer.includes('PONG')) resolve();
    });
    socket.on('error', reject);
  });
  socket.destroy();
}
