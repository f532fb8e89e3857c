import Type from 'typebox';
import { closed } from './closed.ts';

/** Proxies in front of the node that tell it the addresses of clients. */
export const ProxiesSchema = Type.Object(
  {
    trusted: Type.Array(Type.String(), {
      maxItems: 256,
      default: [],
      description:
        'addresses and networks (10.0.0.0/8) of the proxies in front of the node. The address of a client is then what they say; what anybody else says is ignored. For limits of an address',
    }),
    addressFrom: Type.Union([Type.Literal('forwardedFor'), Type.Literal('proxyProtocol')], {
      default: 'forwardedFor',
      description:
        'where trusted proxies say it. `forwardedFor`: in X-Forwarded-For, the last address that is not trusted. `proxyProtocol`: in a header of the PROXY protocol, version 2; not together with tls.certFile',
    }),
  },
  { ...closed, default: {}, description: 'Proxies in front of the node.' },
);
