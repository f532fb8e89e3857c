import { pageOfNames } from '../page-of-names.ts';
import type { PageOfNames, UsersOverview } from '../report-types.ts';
import type { ConnectionLimit } from './connection-limit.ts';

/** Users that have connections to this node, sorted by name. */
export function usersOverview(limit: Pick<ConnectionLimit<unknown>, 'users' | 'countOf'>, question: PageOfNames): UsersOverview {
  const { names, ...page } = pageOfNames(limit.users(), question);
  return { ...page, users: names.map((user) => ({ user, connections: limit.countOf(user) })) };
}
