import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

export function tlsFilesComeTogether({ tls, admin }: Config): Problem[] {
  const { certFile, keyFile, caFile, serverNames } = tls;
  if (certFile !== '' && keyFile !== '') return [];
  if (certFile !== '') return [{ path: 'tls.keyFile', value: keyFile, expected: 'expected the private key of tls.certFile' }];
  const expected = 'expected the certificate that this belongs to';
  return [
    ...(keyFile === '' ? [] : [{ path: 'tls.certFile', value: certFile, expected: 'expected the certificate of tls.keyFile' }]),
    ...(caFile === '' ? [] : [{ path: 'tls.caFile', value: caFile, expected: `${expected} in tls.certFile` }]),
    ...(serverNames.length === 0
      ? []
      : [{ path: 'tls.serverNames', expected: 'expected tls.certFile for clients that ask for another name, or for none' }]),
    ...(admin.tls ? [{ path: 'admin.tls', value: true, expected: 'expected false, or tls.certFile to be set' }] : []),
  ];
}

export function tlsServerNamesAreUnique({ tls }: Config): Problem[] {
  const seen = new Set<string>();
  return tls.serverNames.flatMap(({ name }, i) => {
    if (seen.has(name)) return [{ path: `tls.serverNames.${i}.name`, value: name, expected: 'expected a name that no other entry has' }];
    seen.add(name);
    return [];
  });
}
