import { Command } from 'commander';
import { decodeKey, encodeKey } from '../protocol/key-token.ts';
import { decodeUser, encodeUser, USER_NAMESPACE } from '../protocol/user-topic.ts';
import { badValue } from './errors.ts';
import { print } from './output.ts';

const PREFIX = `${USER_NAMESPACE}.`;

export function keyCommand(): Command {
  return new Command('key')
    .description('encode a key as the last token of its NATS subject, or a user as their topic; or decode them')
    .argument('<text>', 'for example BTC/USDT, or with --user ann@example.org')
    .option('-u, --user', 'the text is a user (`sub` of a token); print the topic of this user')
    .option('-d, --decode', 'the text is a token, or with --user a topic; print its key, or its user')
    .action(runKey)
    .addHelpText(
      'after',
      `
Each byte of the key's UTF-8 that is not one of A-Z a-z 0-9 _ - is written as = and two hexadecimal digits in capitals.

In the topic of a user . is written as __d, @ as __a, | as __p, : as __c, _ before another _ as __u, and any other byte as __x and two hexadecimal digits.

Examples:
  $ stentor key BTC/USDT                                  BTC=2FUSDT
  $ stentor key --decode BTC=2FUSDT                       BTC/USDT
  $ stentor key --user ann@example.org                    user.ann__aexample__dorg
  $ stentor key --user --decode user.auth0__p5f7c         auth0|5f7c
  $ nats pub "feed.$(stentor key --user ann@example.org)" '{"text":"your order has shipped"}'
  $ nats pub "feed.ticks.fx.$(stentor key BRK.B)" '{"bid":412.3}'`,
    );
}

interface KeyOptions {
  readonly decode?: true;
  readonly user?: true;
}

function runKey(text: string, { decode, user }: KeyOptions): void {
  try {
    if (user) print(decode ? decodeUser(withoutNamespace(text)) : `${PREFIX}${encodeUser(text)}`);
    else print(decode ? decodeKey(text) : encodeKey(text));
  } catch (error) {
    throw badValue('text', text, (error as Error).message);
  }
}

function withoutNamespace(topic: string): string {
  return topic.startsWith(PREFIX) ? topic.slice(PREFIX.length) : topic;
}
