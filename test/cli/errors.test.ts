import { describe, expect, it } from 'vitest';
import { CliError, describeFailure } from '../../src/cli/errors.ts';

describe('a failure', () => {
  it('is one line, also where others have written a part of it', () => {
    const error = new CliError('connection_closed', 'the node closed the connection: 4010 bye\nstentor: all is well');
    expect(describeFailure(error)).toEqual({
      text: 'stentor: connection_closed: the node closed the connection: 4010 bye\\nstentor: all is well',
      exitCode: 1,
    });
  });

  it('of a configuration is the list of all problems, each on its line', () => {
    const error = Object.assign(new Error('2 problems:\n  a\n  b'), { code: 'bad_config' });
    expect(describeFailure(error)).toEqual({ text: 'stentor: bad_config: 2 problems:\n  a\n  b', exitCode: 2 });
  });
});
