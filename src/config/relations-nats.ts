import type { Problem } from './problem.ts';
import { isLoopback } from './relations-listen.ts';
import type { Config } from './schema.ts';

const SERVER = /^((nats|tls):\/\/)?([^@/\s]+@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?\/?$/;

export function natsUrlsAreUrls({ nats }: Config): Problem[] {
  if (nats.url === '') return [];
  const bad = nats.url.split(',').some((server) => !SERVER.test(server.trim()));
  if (!bad) return [];
  return [{ path: 'nats.url', value: nats.url, expected: 'expected servers like nats://host:4222 or tls://host:4222, comma-separated' }];
}

/** With two logins it would be unclear which one is used. */
export function natsLoginIsOne({ nats }: Config): Problem[] {
  const ways = natsLoginWays(nats);
  if (ways.length > 1) return [{ path: 'nats', expected: `expected one way to log in, not several: ${ways.join(', ')}` }];
  const problems = PAIRS.flatMap(([value, file]): Problem[] =>
    nats[value] === '' || nats[file] === ''
      ? []
      : [{ path: `nats.${file}`, value: nats[file], expected: `expected only one of nats.${value} and nats.${file}` }],
  );
  if (problems.length === 0 && ways[0] === 'nats.user' && nats.user === '' && nats.userFile === '') {
    problems.push({ path: 'nats.user', value: '', expected: 'expected a user for the NATS password' });
  }
  if (new Set(loginsIn(nats.url)).size > 1)
    problems.push({ path: 'nats.url', value: nats.url, expected: 'expected the same login for all servers' });
  return problems;
}

const PAIRS = [
  ['user', 'userFile'],
  ['password', 'passwordFile'],
  ['token', 'tokenFile'],
] as const;

/** The ways to log in that are set, each by the name of its setting. */
function natsLoginWays(nats: Config['nats']): string[] {
  const isSet = {
    'nats.credsFile': nats.credsFile !== '',
    'nats.nkeySeedFile': nats.nkeySeedFile !== '',
    'nats.token': nats.token !== '' || nats.tokenFile !== '',
    'nats.user': [nats.user, nats.userFile, nats.password, nats.passwordFile].some((text) => text !== ''),
    'a login in nats.url': loginsIn(nats.url).length > 0,
  };
  return Object.entries(isSet).flatMap(([name, set]) => (set ? [name] : []));
}

/** The text before the `@` of each server. */
function loginsIn(url: string): string[] {
  return url.split(',').flatMap((server) => /^(?:\s*[a-z]+:\/\/)?\s*([^@/]*)@/i.exec(server)?.[1] ?? []);
}

/** The files are read when a connection is made. A client certificate needs its key. */
export function natsTlsFilesComeTogether({ nats }: Config): Problem[] {
  if ((nats.tlsCertFile === '') === (nats.tlsKeyFile === '')) return [];
  const path = nats.tlsCertFile === '' ? 'nats.tlsCertFile' : 'nats.tlsKeyFile';
  return [{ path, value: '', expected: 'expected a path: nats.tlsCertFile and nats.tlsKeyFile need each other' }];
}

/** A password or token in clear text, on a network that others may read. Creds and nkeys only sign what the server sends. */
export function natsPasswordsInClear({ nats }: Config): string[] {
  const inClear = natsLoginWays(nats).find((way) => way !== 'nats.credsFile' && way !== 'nats.nkeySeedFile');
  if (inClear === undefined || usesNatsTls(nats)) return [];
  const far = nats.url
    .split(',')
    .map(hostOf)
    .filter((host) => !isLoopback(host));
  if (far.length === 0) return [];
  return [`${inClear} is sent to ${far.join(', ')} in clear text unless the server requires TLS: use tls:// in nats.url`];
}

/** TLS is required: a server that does not support it gets no login. */
export function usesNatsTls(nats: Config['nats']): boolean {
  const files = [nats.tlsCaFile, nats.tlsCertFile, nats.tlsKeyFile].some((file) => file !== '');
  return files || nats.tlsHandshakeFirst || nats.url.split(',').some((server) => /^\s*tls:/i.test(server));
}

function hostOf(server: string): string {
  const host = /^(?:\s*[a-z]+:\/\/)?(?:[^@/]*@)?(\[[^\]]*\]|[^:/\s]*)/i.exec(server)?.[1] ?? '';
  return host.replace(/^\[|\]$/g, '');
}

/** They become parts of subjects. */
export function natsNamesAreNames({ nats }: Config): Problem[] {
  const problems: Problem[] = [];
  if (nats.jetstreamDomain !== '' && !/^[\w-]+$/.test(nats.jetstreamDomain)) {
    problems.push({ path: 'nats.jetstreamDomain', value: nats.jetstreamDomain, expected: 'expected letters, digits, - and _' });
  }
  if (nats.jetstreamDomain !== '' && nats.jetstreamApiPrefix !== '') {
    problems.push({
      path: 'nats.jetstreamApiPrefix',
      value: nats.jetstreamApiPrefix,
      expected: 'expected it to be empty if nats.jetstreamDomain is set',
    });
  }
  for (const name of ['jetstreamApiPrefix', 'inboxPrefix'] as const) {
    if (nats[name] === '' || /^[\w$-]+(\.[\w$-]+)*$/.test(nats[name])) continue;
    problems.push({
      path: `nats.${name}`,
      value: nats[name],
      expected: 'expected a subject without wildcards, spaces and a trailing dot',
    });
  }
  return problems;
}

/** Replicas with the memory bus would silently break a promise. */
export function replicasNeedNats({ nats }: Config): Problem[] {
  if (nats.streamReplicas === 1 || nats.url !== '') return [];
  return [
    { path: 'nats.streamReplicas', value: nats.streamReplicas, expected: 'expected nats.url to be set: the memory bus keeps one copy' },
  ];
}

/** A mirror is another stream than the one that it mirrors. */
export function mirrorsAreStreams({ namespaces, nats }: Config): Problem[] {
  return Object.entries(namespaces).flatMap(([name, { mirror, mirrorDomain, durable }]): Problem[] => {
    const path = `namespaces.${name}.mirror`;
    if (mirror === '') {
      return mirrorDomain === '' ? [] : [{ path: `${path}Domain`, value: mirrorDomain, expected: `expected ${path} to be set too` }];
    }
    if (!durable || nats.url === '')
      return [{ path, value: mirror, expected: 'expected it to be empty, because the namespace is not durable, or nats.url is empty' }];
    if (!/^[\w-]+$/.test(mirror)) return [{ path, value: mirror, expected: 'expected the name of a stream: letters, digits, - and _' }];
    if (!/^[\w-]*$/.test(mirrorDomain))
      return [{ path: `${path}Domain`, value: mirrorDomain, expected: 'expected letters, digits, - and _' }];
    return [];
  });
}
