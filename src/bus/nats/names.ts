import type { Config } from '../../config/schema.ts';

/** Where things are on this NATS, as far as it is configured. */
export interface NatsNames {
  /** Prefix of JetStream's API, without a dot at the end. */
  readonly api: string;
  /** Prefix of the subjects on which answers and deliveries come. */
  readonly inbox: string;
}

export const DEFAULT_NAMES: NatsNames = { api: '$JS.API', inbox: '_INBOX' };

export function namesOf({ jetstreamDomain, jetstreamApiPrefix, inboxPrefix }: Config['nats']): NatsNames {
  const api = jetstreamDomain === '' ? jetstreamApiPrefix : apiOf(jetstreamDomain);
  return { api: api || DEFAULT_NAMES.api, inbox: inboxPrefix || DEFAULT_NAMES.inbox };
}

export function apiOf(domain: string): string {
  return `$JS.${domain}.API`;
}
