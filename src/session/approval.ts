import type { AskedOptions } from '../hooks/types.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import type { Expiring } from './expiry.ts';

/** A subscription that a hook has allowed with an expiry time. */
export interface ApprovalOf<C> extends Expiring {
  readonly connection: C;
  readonly topic: FeedName;
  readonly options: AskedOptions;
  /** The remaining retries when the hook has its maximum of unanswered questions. */
  triesLeft: number;
}
