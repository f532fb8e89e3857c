import { createConnection, type NetConnectOpts, type Socket } from 'node:net';

/**
 * TCP sends a lost SYN again after 1, 3, 7, 15 s. So an attempt that began while the network was cut would notice only then that the network is back. A further
 * attempt beside it notices after this time.
 */
const STAGGER_MS = 250;
/** Each is given up by then. */
const DIAL_TIMEOUT_MS = 2400;

/**
 * Opens a TCP connection. Attempts that get no answer continue, and further ones begin beside them; the first that connects is used.
 * @param optionsOf the options of an attempt, which may refer to its socket later
 * @throws Error of the last attempt that failed; `ETIMEDOUT` if none was answered
 */
export function dial(optionsOf: (socket: () => Socket) => NetConnectOpts, connect = createConnection): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const attempts = new Set<Socket>();
    const finish = () => {
      clearInterval(stagger);
      clearTimeout(deadline);
      for (const socket of attempts) socket.destroy();
      attempts.clear();
    };
    const begin = () => {
      let failure: Error | undefined;
      const socket: Socket = connect(optionsOf(() => socket));
      attempts.add(socket);
      socket.once('connect', () => {
        attempts.delete(socket);
        socket.removeAllListeners();
        finish();
        resolve(socket);
      });
      socket.on('error', (error) => {
        failure = error;
      });
      socket.on('close', () => {
        socket.removeAllListeners();
        // An answer that is no: the others would get the same.
        if (!attempts.delete(socket)) return;
        finish();
        reject(failure ?? new Error('the connection was closed'));
      });
    };
    const stagger = setInterval(begin, STAGGER_MS);
    const deadline = setTimeout(() => {
      finish();
      reject(Object.assign(new Error(`connect ETIMEDOUT after ${DIAL_TIMEOUT_MS} ms`), { code: 'ETIMEDOUT' }));
    }, DIAL_TIMEOUT_MS);
    begin();
  });
}
