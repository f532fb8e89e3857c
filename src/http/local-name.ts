import { isIP } from 'node:net';

export const FOREIGN_HOST = 'without a token in the config, only localhost and IP addresses are accepted as Host';

/** Is the Host of a request `localhost` or an IP address? A foreign web page cannot have either as its own host name, even if its DNS name resolves to this machine. */
export function isLocalName(host: string | undefined): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host ?? '') ?? [];
  const name = (bracketed ?? plain ?? '').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0;
}
