import { X509Certificate } from 'node:crypto';
import { request } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';

export interface PinnedRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/**
 * A request over TLS to a node on this machine, at an address that is in no certificate. So not the name is checked, but the certificate itself.
 *
 * @param certificate PEM of the one that the node must present; undefined: any, where nothing secret is sent
 * @throws Error if it presents another one: then nothing has been sent
 */
export async function pinnedRequest(
  url: URL,
  certificate: string | undefined,
  { method = 'GET', headers = {}, body = '', signal }: PinnedRequest,
): Promise<{ readonly status: number; readonly text: string }> {
  const socket = await connectTo(url, certificate, signal);
  return new Promise((resolve, reject) => {
    const { host, pathname, search } = url;
    const asked = request({
      method,
      path: `${pathname}${search}`,
      headers: { ...headers, Host: host, Connection: 'close' },
      createConnection: () => socket,
      ...(signal !== undefined && { signal }),
    });
    asked.once('error', reject);
    asked.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.end(body);
  });
}

function connectTo({ hostname, port }: URL, certificate: string | undefined, signal: AbortSignal | undefined): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket = connect({ host, port: Number(port === '' ? 443 : port), rejectUnauthorized: false });
    const abort = () => socket.destroy(signal?.reason as Error);
    signal?.addEventListener('abort', abort, { once: true });
    socket.once('close', () => signal?.removeEventListener('abort', abort));
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const presented = socket.getPeerX509Certificate();
      if (certificate === undefined || presented?.fingerprint256 === new X509Certificate(certificate).fingerprint256)
        return resolve(socket);
      socket.destroy();
      reject(new Error('it presents another certificate than that in tls.certFile. If that was renewed a moment ago, try again'));
    });
  });
}
