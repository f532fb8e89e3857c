import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { CertificatePair, TlsMaterial } from '../config/certificates.ts';
import type { Config } from '../config/schema.ts';
import type { HttpResponse, TlsFiles, Uws, UwsApp } from './uws.ts';

/** Cipher suites of TLS 1.2: forward secrecy and AEAD only. Those of TLS 1.3 all are, and cannot be chosen. uWebSockets refuses older versions. */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** O_TMPFILE of Linux, which Node does not name: a file without a name, which is gone when it is closed. */
const UNNAMED_FILE = 0o20200000;

/** Has all certificates of a worker. They stay the same for its life: renewed ones are for the workers that replace it. */
export interface SecureApp {
  readonly app: UwsApp;
  /** Registers routes for all server names: uWebSockets routes the requests of each of them apart. */
  route(register: () => void): void;
}

/** @throws Error with the code `tls_failed` */
export function secureApp(uws: Uws, tls: Config['tls'], material: TlsMaterial): SecureApp {
  const descriptors: number[] = [];
  /** The checked contents, and not the file as it may be by now. uWebSockets reads only files. */
  const fileOf = (text: string, configured: string): string => {
    const descriptor = unnamedFile(text);
    if (descriptor === undefined) return configured;
    descriptors.push(descriptor);
    return `/proc/self/fd/${descriptor}`;
  };
  const filesOf = (pair: CertificatePair, configured: { readonly certFile: string; readonly keyFile: string }): TlsFiles => ({
    cert_file_name: fileOf(pair.cert, configured.certFile),
    key_file_name: fileOf(pair.key, configured.keyFile),
    ...(material.ca !== undefined && { ca_file_name: fileOf(material.ca, tls.caFile) }),
    ssl_ciphers: CIPHERS,
  });
  try {
    const app = uws.SSLApp(filesOf(material, tls));
    tls.serverNames.forEach((configured, i) => {
      app.addServerName(configured.name, filesOf(material.serverNames[i] as CertificatePair, configured));
    });
    return { app, route: (register) => routeAll(app, tls, register) };
  } catch (cause) {
    const message = 'uWebSockets.js does not accept tls.certFile, tls.keyFile, tls.caFile or a file of tls.serverNames';
    throw Object.assign(new Error(message, { cause }), { code: 'tls_failed' });
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

/** Whether the client has presented a certificate. uWebSockets asks for one, and refuses a wrong one, but accepts none. */
export function hasCertificate(res: HttpResponse): boolean {
  // All builds have it; their types do not.
  return (res as HttpResponse & { getX509Certificate(): string }).getX509Certificate() !== '';
}

function routeAll(app: UwsApp, tls: Config['tls'], register: () => void): void {
  register();
  for (const { name } of tls.serverNames) {
    app.domain(name);
    register();
  }
}

/** @returns a descriptor; undefined where there are no such files: not on Linux, or without a folder that can be written */
function unnamedFile(text: string): number | undefined {
  if (process.platform !== 'linux') return undefined;
  for (const folder of ['/dev/shm', tmpdir()]) {
    try {
      const descriptor = openSync(folder, constants.O_RDWR | UNNAMED_FILE, 0o600);
      writeSync(descriptor, text);
      return descriptor;
    } catch {
      // The next one.
    }
  }
  return undefined;
}
