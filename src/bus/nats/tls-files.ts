import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../../config/schema.ts';

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * What is wrong with the files of `nats.tls*`, starting with the name of the setting; undefined: nothing. The NATS client treats a CA file without a
 * certificate like no CA file, and reports only OpenSSL's errors for the others.
 */
export function tlsFileProblem({ tlsCaFile, tlsCertFile, tlsKeyFile }: Config['nats']): string | undefined {
  try {
    if (tlsCaFile !== '') certificatesIn('nats.tlsCaFile', tlsCaFile);
    if (tlsCertFile === '' || tlsKeyFile === '') return undefined;
    const [certificate] = certificatesIn('nats.tlsCertFile', tlsCertFile);
    const key = keyIn('nats.tlsKeyFile', tlsKeyFile);
    // The first certificate is the node's own; the others are its chain.
    return certificate?.checkPrivateKey(key) ? undefined : `nats.tlsKeyFile: ${tlsKeyFile} is not the key of nats.tlsCertFile`;
  } catch (error) {
    if (error instanceof FileProblem) return error.message;
    throw error;
  }
}

class FileProblem extends Error {}

function certificatesIn(setting: string, path: string): X509Certificate[] {
  const found = read(setting, path).match(CERTIFICATES) ?? [];
  if (found.length === 0) throw new FileProblem(`${setting}: ${path} has no certificate in PEM (-----BEGIN CERTIFICATE-----)`);
  try {
    return found.map((pem) => new X509Certificate(pem));
  } catch {
    throw new FileProblem(`${setting}: ${path} has a damaged certificate`);
  }
}

function keyIn(setting: string, path: string): KeyObject {
  const pem = read(setting, path);
  try {
    return createPrivateKey(pem);
  } catch {
    const encrypted = /-----BEGIN ENCRYPTED|ENCRYPTED$/m.test(pem);
    throw new FileProblem(
      `${setting}: ${path} has ${encrypted ? 'a private key with a passphrase, which is not supported' : 'no private key in PEM'}`,
    );
  }
}

function read(setting: string, path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    throw new FileProblem(`${setting} cannot be read: ${path} (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}
