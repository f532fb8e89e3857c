import { isIP } from 'node:net';

/** Is a request's Host `localhost` or an address? A web page can have neither as its own name, whatever its name resolves to. */
export function isLocalName(host: string | undefined): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host ?? '') ?? [];
  const name = (bracketed ?? plain ?? '').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0;
}
