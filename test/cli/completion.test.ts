import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { findTool } from '../support/find-tool.ts';
import { runCli } from './run-cli.ts';

const run = promisify(execFile);
const ZSH = findTool('ZSH', 'zsh');
const FISH = findTool('FISH', 'fish');
const COMMANDS = createProgram().commands.map((command) => command.name());

describe('stentor completion', () => {
  let folder: string;
  const file = (shell: string) => join(folder, shell);
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'stentor-completion-'));
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await runCli(['completion', shell]);
      expect(code).toBe(0);
      writeFileSync(file(shell), stdout);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What bash offers for the last of these words. */
  async function bash(...words: string[]): Promise<string[]> {
    const script = `source ${file('bash')}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _stentor; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run('bash', ['-c', script, 'bash', ...words]);
    return stdout.trim().split('\n');
  }

  it('completes commands, options and the values of options in bash', async () => {
    expect(await bash('stentor', '')).toEqual(expect.arrayContaining(COMMANDS));
    expect(await bash('stentor', 'conn')).toEqual(['connections']);
    expect(await bash('stentor', 'topics', '--pre')).toEqual(['--prefix']);
    expect(await bash('stentor', 'topics', '--sort', '')).toEqual(['members', 'rate', 'name']);
    expect(await bash('stentor', 'completion', 'f')).toEqual(['fish']);
    expect(await bash('stentor', 'serve', '--config', file('ba'))).toEqual([file('bash')]);
  });

  it.skipIf(FISH === undefined)('completes the same in fish', async () => {
    const fish = async (line: string) => {
      const { stdout } = await run(FISH as string, ['-c', `source ${file('fish')}; complete -C '${line}'`]);
      return stdout
        .trim()
        .split('\n')
        .map((offered) => offered.split('\t')[0]);
    };
    expect(await fish('stentor ')).toEqual(expect.arrayContaining(COMMANDS));
    expect((await fish('stentor topics --sort ')).sort()).toEqual(['members', 'name', 'rate']);
    expect(await fish('stentor topics --pre')).toEqual(['--prefix']);
    expect((await fish('stentor completion ')).sort()).toEqual(['bash', 'fish', 'zsh']);
  });

  it.skipIf(ZSH === undefined)('completes the same in zsh', () => {
    // The functions of zsh that would show something are replaced by ones that print what they get.
    const offered = (...words: string[]) => {
      const script = `
        compdef() { : }
        _describe() { print -l -- \${(P)2} }
        _arguments() { print -l -- "$@" }
        source ${file('zsh')}
        words=("$@"); CURRENT=$#; _stentor`;
      return execFileSync(ZSH as string, ['-fc', script, 'zsh', ...words], { encoding: 'utf8' });
    };
    for (const command of COMMANDS) expect(offered('stentor', '')).toContain(`\n${command}:`.slice(command === 'serve' ? 1 : 0));
    expect(offered('stentor', 'topics', '--')).toContain('--sort[the largest by this, or all by name]:value:(members rate name)');
    expect(offered('stentor', 'completion', '')).toContain('*:argument:(bash zsh fish)');
  });

  it('refuses another shell', async () => {
    expect((await runCli(['completion', 'tcsh'])).code).toBe(2);
  });
});
