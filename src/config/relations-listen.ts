import { isIP } from 'node:net';
import { ADMIN_TOKEN_LENGTH_MIN, adminTokensOf } from './admin-tokens.ts';
import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

const WILDCARDS = new Set(['0.0.0.0', '::', '']);

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The HTTP API can publish, so it must not be open to other machines without a token. */
export function adminNeedsToken({ admin }: Config): Problem[] {
  if (isLoopback(admin.host) || adminTokensOf(admin).length > 0) return [];
  return [{ path: 'admin.host', value: admin.host, expected: 'expected a loopback address, or admin.token to be set' }];
}

/** Otherwise a body of the size that is permitted could never be read. */
export function bodiesFit({ tuning: { admin } }: Config): Problem[] {
  const expected = `expected at least tuning.admin.bodyBytesMax (${admin.bodyBytesMax})`;
  return (['bodiesBytesMax', 'bodiesBytesPerTokenMax'] as const)
    .filter((name) => admin[name] < admin.bodyBytesMax)
    .map((name) => ({ path: `tuning.admin.${name}`, value: admin[name], expected }));
}

/** A token that other machines can try must be too long to be guessed. */
export function adminTokenIsLong({ admin }: Config): Problem[] {
  if (isLoopback(admin.host) || admin.token === '' || admin.token.length >= ADMIN_TOKEN_LENGTH_MIN) return [];
  return [
    {
      path: 'admin.token',
      expected: `expected at least ${ADMIN_TOKEN_LENGTH_MIN} characters, because admin.host is not a loopback address`,
    },
  ];
}

export function adminTokensAreComplete({ admin }: Config): Problem[] {
  return admin.tokens.flatMap(({ token, tokenFile }, i) =>
    (token === undefined) === (tokenFile === undefined)
      ? [{ path: `admin.tokens.${i}`, expected: 'expected either `token` or `tokenFile`' }]
      : [],
  );
}

export function portsDiffer({ host, port, admin }: Config): Problem[] {
  const overlap = host === admin.host || WILDCARDS.has(host) || WILDCARDS.has(admin.host);
  if (port === 0 || port !== admin.port || !overlap) return [];
  return [{ path: 'admin.port', value: admin.port, expected: 'expected another port than `port`' }];
}

/** Node's BlockList takes each of them. */
export function proxiesAreAddresses({ proxies }: Config): Problem[] {
  return proxies.trusted
    .filter((entry) => !isNetwork(entry))
    .map((value) => ({
      path: 'proxies.trusted',
      value,
      expected: 'expected addresses or networks, like 10.1.2.3, 10.0.0.0/8 or fd00::/8',
    }));
}

function isNetwork(entry: string): boolean {
  const [address = '', prefix, ...more] = entry.split('/');
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 0 || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

/** The header comes before the handshake of TLS, which uWebSockets does not expect. */
export function proxyProtocolIsWithoutTls({ proxies, tls }: Config): Problem[] {
  if (proxies.addressFrom !== 'proxyProtocol' || tls.certFile === '') return [];
  return [{ path: 'proxies.addressFrom', value: proxies.addressFrom, expected: 'expected forwardedFor, because tls.certFile is set' }];
}

/** Paths of the clients' port that are not for WebSockets. */
const OTHER_PATHS: ReadonlySet<string> = new Set(['/publish', '/history', '/sse']);

export function pathIsFree({ path }: Config): Problem[] {
  if (!OTHER_PATHS.has(path)) return [];
  return [{ path: 'path', value: path, expected: `expected another path than ${[...OTHER_PATHS].join(', ')}` }];
}

/**
 * Origins are compared as browsers send them: without a path, a trailing slash or a wildcard. Anything else would never match. `*` and `none` stand alone: they
 * say what an empty list leaves open.
 */
export function originsAreOrigins({ allowedOrigins }: Config): Problem[] {
  if (allowedOrigins.length === 1 && (allowedOrigins[0] === '*' || allowedOrigins[0] === 'none')) return [];
  return allowedOrigins
    .filter((origin) => origin !== 'null' && !/^[a-z][a-z0-9+.-]*:\/\/[^/*\s]+$/.test(origin))
    .map((value) => ({
      path: 'allowedOrigins',
      value,
      expected: 'expected origins as browsers send them, like https://example.com; or only `*` to let all in',
    }));
}
