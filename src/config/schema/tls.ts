import Type from 'typebox';
import { closed } from './closed.ts';

const ServerNameSchema = Type.Object(
  {
    name: Type.String({
      maxLength: 253,
      pattern: '^(\\*\\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$',
      description: 'host name in lower case, as clients send it (SNI). `*.example.com`: every name one level below example.com',
    }),
    certFile: Type.String({ minLength: 1, description: 'path of its certificate with the chain, as PEM', filePath: true }),
    keyFile: Type.String({ minLength: 1, description: 'path of its private key, as PEM', filePath: true }),
  },
  closed,
);

/** TLS on the clients' port. */
export const TlsSchema = Type.Object(
  {
    certFile: Type.String({
      default: '',
      description:
        'path of the certificate with its chain, as PEM: clients connect with TLS 1.2 or 1.3. Renewed files are used without a restart. Empty: no TLS',
      filePath: true,
    }),
    keyFile: Type.String({ default: '', description: 'path of its private key, as PEM without a passphrase: RSA or EC', filePath: true }),
    caFile: Type.String({
      default: '',
      description:
        'path of the CA certificates of clients. With it every client must present a certificate that one of them has signed; others get 403',
      filePath: true,
    }),
    serverNames: Type.Array(ServerNameSchema, {
      maxItems: 32,
      default: [],
      description:
        'further certificates, for clients that ask for these host names (SNI). Each has `name`, `certFile` and `keyFile`. Other clients get tls.certFile',
    }),
    terminatedUpstream: Type.Boolean({
      default: false,
      description: 'a proxy in front of the node terminates TLS. `production` needs this or tls.certFile',
    }),
  },
  { ...closed, default: {}, description: 'TLS on the port for clients.' },
);
