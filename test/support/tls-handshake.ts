import { type ConnectionOptions, connect, type PeerCertificate } from 'node:tls';

/** A TLS handshake with a port of this machine: its version, and the certificate that the server presents. */
export function tlsHandshake(
  port: number,
  options: ConnectionOptions,
): Promise<{ readonly version: string | null; readonly certificate: PeerCertificate }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ...options }, () => {
      resolve({ version: socket.getProtocol(), certificate: socket.getPeerCertificate() });
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
