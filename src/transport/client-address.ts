import { BlockList } from 'node:net';
import type { Config } from '../config/schema.ts';
import { type AddressBytes, addressKey, addressText, bytesOf, parseAddress } from './address.ts';
import type { HttpRequest, HttpResponse } from './uws.ts';

/** The address of the client, also behind trusted proxies. What anybody else says about addresses is ignored. */
export class ClientAddresses {
  readonly #trusted: BlockList | undefined;
  readonly #addressFrom: Config['proxies']['addressFrom'];

  constructor({ trusted, addressFrom }: Config['proxies']) {
    this.#trusted = trusted.length === 0 ? undefined : blockListOf(trusted);
    this.#addressFrom = addressFrom;
  }

  /** Call while the request is being routed. @returns the same text for the same client: IPv6 by its /64; empty: it has closed */
  of(res: Pick<HttpResponse, 'getRemoteAddress' | 'getProxiedRemoteAddress'>, req: Pick<HttpRequest, 'forEach'>): string {
    const peer = bytesOf(res.getRemoteAddress());
    if (this.#trusted === undefined || !this.#isTrusted(peer)) return addressKey(peer);
    return addressKey(this.#addressFrom === 'forwardedFor' ? this.#forwarded(peer, req) : this.#proxied(peer, res));
  }

  /** Each proxy appends the address that it sees. So the last address that is not a proxy's is the client's, and what precedes it is the client's own text. */
  #forwarded(peer: AddressBytes, req: Pick<HttpRequest, 'forEach'>): AddressBytes {
    const lines: string[] = [];
    req.forEach((name, value) => {
      if (name === 'x-forwarded-for') lines.push(value);
    });
    let nearest = peer;
    for (const text of lines.join(',').split(',').reverse()) {
      const address = parseAddress(text);
      if (address === undefined) break;
      nearest = address;
      if (!this.#isTrusted(address)) break;
    }
    return nearest;
  }

  /** PROXY protocol, version 2. Empty for a connection of the proxy itself, such as a health check. */
  #proxied(peer: AddressBytes, res: Pick<HttpResponse, 'getProxiedRemoteAddress'>): AddressBytes {
    const address = bytesOf(res.getProxiedRemoteAddress());
    return address.length === 0 ? peer : address;
  }

  #isTrusted(address: AddressBytes): boolean {
    if (address.length === 0) return false;
    return this.#trusted?.check(addressText(address), address.length === 4 ? 'ipv4' : 'ipv6') ?? false;
  }
}

/** @param entries addresses and networks, checked */
function blockListOf(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [text = '', prefix] = entry.split('/');
    const family = text.includes(':') ? 'ipv6' : 'ipv4';
    list.addSubnet(text, prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix), family);
  }
  return list;
}
