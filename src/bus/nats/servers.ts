export interface ServerAddress {
  /** `nats://host:4222`, without a login. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

/** Splits the comma-separated list, and removes logins from the URLs: the client does not read them there, and no log may contain them. */
export function parseServers(list: string): ServerAddress[] {
  return list
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(parseServer);
}

/** The servers without logins, for display. */
export function describeServers(list: string): string {
  return parseServers(list)
    .map(({ url }) => url)
    .join(', ');
}

function parseServer(text: string): ServerAddress {
  const [, scheme = 'nats://', loginText, host = ''] = /^([a-z]+:\/\/)?(?:([^@/]*)@)?(.*?)\/?$/i.exec(text) ?? [];
  const url = `${scheme}${host}`;
  if (loginText === undefined) return { url };
  const colon = loginText.indexOf(':');
  if (colon === -1) return { url, token: decodeURIComponent(loginText) };
  return { url, user: decodeURIComponent(loginText.slice(0, colon)), password: decodeURIComponent(loginText.slice(colon + 1)) };
}
