import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { Problem } from './problem.ts';
import { readSmallFile } from './read-small-file.ts';
import type { Config } from './schema.ts';

/** Larger than any certificate with its chain. */
const FILE_BYTES_MAX = 262_144;
const RSA_BITS_MIN = 2048;
/** What browsers accept in a certificate. */
const CURVES = new Set(['prime256v1', 'secp384r1']);
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** A certificate with its chain, and its private key: PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** The contents of the files of `tls`. All of it has been checked. */
export interface TlsMaterial extends CertificatePair {
  /** CA certificates of clients. */
  readonly ca?: string;
  readonly serverNames: readonly (CertificatePair & { readonly name: string })[];
}

/** When a certificate ends; the name is that of an entry of `tls.serverNames`, or `default`. */
export interface Expiry {
  readonly name: string;
  readonly expiresAtMs: number;
}

export type TlsRead =
  | { readonly material: TlsMaterial; readonly expiries: readonly Expiry[] }
  | { readonly problems: readonly [Problem, ...Problem[]] };

/** Files of `tls` that cannot be used. This reads them: otherwise the first worker would find the problem, when everything else has started. */
export function tlsFilesAreUsable({ tls }: Config): Problem[] {
  const read = tls.certFile === '' || tls.keyFile === '' ? undefined : readTls(tls, Date.now());
  return read === undefined || 'material' in read ? [] : [...read.problems];
}

/** Reads and checks the files: at start, and when they may have been renewed. */
export function readTls(tls: Config['tls'], nowMs: number): TlsRead {
  const problems: Problem[] = [];
  const expiries: Expiry[] = [];
  const pair = (path: string, files: PairFiles): CertificatePair => {
    const read = readPair(path, files, nowMs);
    if ('problem' in read) {
      problems.push(read.problem);
      return { cert: '', key: '' };
    }
    expiries.push({ name: files.name ?? 'default', expiresAtMs: read.expiresAtMs });
    return { cert: read.cert, key: read.key };
  };
  const own = pair('tls', tls);
  const serverNames = tls.serverNames.map((files, i) => ({ name: files.name, ...pair(`tls.serverNames.${i}`, files) }));
  const ca = tls.caFile === '' ? undefined : readCertificates('tls.caFile', tls.caFile);
  if (ca !== undefined && 'problem' in ca) problems.push(ca.problem);
  const [first, ...more] = problems;
  if (first !== undefined) return { problems: [first, ...more] };
  return { material: { ...own, ...(ca !== undefined && 'text' in ca && { ca: ca.text }), serverNames }, expiries };
}

interface PairFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly name?: string;
}

function readPair(
  path: string,
  { certFile, keyFile, name }: PairFiles,
  nowMs: number,
): (CertificatePair & { readonly expiresAtMs: number }) | { readonly problem: Problem } {
  const read = readCertificates(`${path}.certFile`, certFile);
  if ('problem' in read) return read;
  const key = readKey(`${path}.keyFile`, keyFile);
  if ('problem' in key) return key;
  const [certificate] = read.certificates;
  const wrong = (setting: 'certFile' | 'keyFile', expected: string) => ({
    problem: { path: `${path}.${setting}`, value: setting === 'certFile' ? certFile : keyFile, expected },
  });
  if (!certificate.checkPrivateKey(key.key)) return wrong('keyFile', `expected the private key of the first certificate in ${certFile}`);
  const misfit = misfitOf(key.key);
  if (misfit !== undefined) return wrong('keyFile', misfit);
  const expiresAtMs = Date.parse(certificate.validTo);
  if (expiresAtMs <= nowMs) return wrong('certFile', `expected a certificate that is valid now; it expired on ${certificate.validTo}`);
  if (Date.parse(certificate.validFrom) > nowMs)
    return wrong('certFile', `expected a certificate that is valid now; it is valid from ${certificate.validFrom}`);
  // A wildcard is checked with a name that it stands for.
  if (name !== undefined && certificate.checkHost(name.replace('*', 'any')) === undefined)
    return wrong('certFile', `expected a certificate for ${name}, not for ${certificate.subjectAltName ?? 'no name at all'}`);
  return { cert: read.text, key: key.text, expiresAtMs };
}

function readCertificates(
  path: string,
  file: string,
): { readonly text: string; readonly certificates: readonly [X509Certificate, ...X509Certificate[]] } | { readonly problem: Problem } {
  const wrong = (reason: string) => ({ problem: { path, value: file, expected: `expected a file with certificates in PEM: ${reason}` } });
  const read = readSmallFile(file, FILE_BYTES_MAX);
  if ('reason' in read) return wrong(read.reason);
  const [first, ...rest] = read.text.match(CERTIFICATE) ?? [];
  if (first === undefined) return wrong('it has no -----BEGIN CERTIFICATE-----');
  try {
    return { text: read.text, certificates: [new X509Certificate(first), ...rest.map((pem) => new X509Certificate(pem))] };
  } catch {
    return wrong('one of them is damaged');
  }
}

function readKey(path: string, file: string): { readonly text: string; readonly key: KeyObject } | { readonly problem: Problem } {
  const wrong = (reason: string) => ({
    problem: { path, value: file, expected: `expected a file with a private key in PEM, without a passphrase: ${reason}` },
  });
  const read = readSmallFile(file, FILE_BYTES_MAX);
  if ('reason' in read) return wrong(read.reason);
  try {
    return { text: read.text, key: createPrivateKey(read.text) };
  } catch {
    return wrong(/^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(read.text) ? 'it has one' : 'it has none that can be read');
  }
}

/** BoringSSL, which uWebSockets uses, signs with these keys, and browsers accept them. */
function misfitOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve = '' } = details ?? {};
  if (type === 'rsa' && modulusLength >= RSA_BITS_MIN) return undefined;
  if (type === 'ec' && CURVES.has(namedCurve)) return undefined;
  return `expected an RSA key of at least ${RSA_BITS_MIN} bits, or an EC key on P-256 or P-384`;
}
