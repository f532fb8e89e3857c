import type { Config } from '../../config/schema.ts';

/** Configured names on this NATS. */
export interface NatsNames {
  /** Prefix of JetStream's API, without a trailing dot. */
  readonly api: string;
  /** Prefix of the subjects for answers and deliveries. */
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
