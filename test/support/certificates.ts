import { execFileSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  readonly ca: string;
  /** For 127.0.0.1 and localhost. */
  readonly server: KeyPair;
  readonly client: KeyPair;
  /** A further one, in files with this name, which may exist. */
  sign(name: string, wanted: Wanted): KeyPair;
}

export interface Wanted {
  /** Of openssl: `DNS:a.example,IP:127.0.0.1`. */
  readonly altNames: string;
  /** Until it expires; negative: it has expired. Default: 2. */
  readonly days?: number;
  /** Default: an EC key on P-256. */
  readonly key?: readonly string[];
}

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** The files that a node is configured with. Another pair is put into them, as a renewal does. */
export class KeyFiles {
  readonly certFile: string;
  readonly keyFile: string;

  constructor(folder: string, pair: KeyPair) {
    this.certFile = join(folder, 'tls.crt');
    this.keyFile = join(folder, 'tls.key');
    this.put(pair);
  }

  put({ cert, key }: KeyPair): void {
    copyFileSync(key, this.keyFile);
    copyFileSync(cert, this.certFile);
  }
}

/** A certificate authority and what it has signed, as files in the folder. */
export function makeCertificates(folder: string): Certificates {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const at = (name: string) => join(folder, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=stentor test CA');
  const make = (name: string, extensions: string, { days = 2, key = newKey }: Partial<Wanted> = {}): KeyPair => {
    writeFileSync(at(`${name}.ext`), extensions);
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...authority, '-days', String(days), '-extfile', `${name}.ext`, '-out', `${name}.pem`);
    return { cert: at(`${name}.pem`), key: at(`${name}.key`) };
  };
  return {
    ca: at('ca.pem'),
    server: make('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n'),
    client: make('client', 'extendedKeyUsage=clientAuth\n'),
    sign: (name, wanted) => make(name, `subjectAltName=${wanted.altNames}\nextendedKeyUsage=serverAuth\n`, wanted),
  };
}
