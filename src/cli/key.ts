import { Command } from 'commander';
import { decodeKey, encodeKey } from '../protocol/key-token.ts';
import { usageError } from './errors.ts';
import { print } from './output.ts';

export function keyCommand(): Command {
  return new Command('key')
    .description('encode a key as the last token of its NATS subject, or decode it')
    .argument('<text>', 'for example BTC/USDT')
    .option('-d, --decode', 'the text is a token; print its key')
    .action(runKey)
    .addHelpText(
      'after',
      `
Each byte of the key's UTF-8 that is not one of A-Z a-z 0-9 _ - is written as = and two hexadecimal digits in capitals.

Examples:
  $ stentor key BTC/USDT                    BTC=2FUSDT
  $ stentor key --decode BTC=2FUSDT         BTC/USDT
  $ nats pub "feed.ticks.fx.$(stentor key BRK.B)" '{"bid":412.3}'`,
    );
}

function runKey(text: string, { decode }: { readonly decode?: true }): void {
  try {
    print(decode ? decodeKey(text) : encodeKey(text));
  } catch (error) {
    throw usageError((error as Error).message);
  }
}
