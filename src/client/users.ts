/** `@stentor-broadcast/client/users`: the topics of users. It has its own entry, because most pages need none but their own, `client.user()`. */
import { userTopicOf } from '../protocol/user-topic.ts';
import { InvalidError } from './errors.ts';

export { decodeUser, encodeUser } from '../protocol/user-topic.ts';

/** The topic of the user with this `sub`: `client.publish(userTopic('ann@example.org'), data)`. @throws InvalidError for a user that has none: too long */
export function userTopic(user: string): string {
  const topic = userTopicOf(user);
  if (topic === undefined) throw new InvalidError('a user has a topic if its name, with escapes, has 1 to 64 characters');
  return topic;
}
