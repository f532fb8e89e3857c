import { Argument, Command } from 'commander';
import { badValue } from './errors.ts';
import { print } from './output.ts';

/** One option, as shells need it. */
interface Flag {
  readonly names: readonly string[];
  readonly description: string;
  /** It takes a value. */
  readonly hasValue: boolean;
  readonly choices: readonly string[];
  readonly isFile: boolean;
}

interface Word {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly Flag[];
  /** What its arguments may be, where that is known. */
  readonly choices: readonly string[];
}

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };
type Shell = keyof typeof SCRIPTS;

/** @param program the whole command line, when it is complete */
export function completionCommand(program: () => Command): Command {
  return new Command('completion')
    .description('print a script that lets a shell complete commands and options')
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .action((shell: string) => {
      if (!(shell in SCRIPTS)) throw badValue('shell', shell, `expected ${Object.keys(SCRIPTS).join(', ')}`);
      print(SCRIPTS[shell as Shell](wordsOf(program())).trimEnd());
    })
    .addHelpText(
      'after',
      `
Examples:
  $ stentor completion bash > ~/.local/share/bash-completion/completions/stentor
  $ stentor completion zsh > ~/.zfunc/_stentor          # with ~/.zfunc in fpath, before compinit
  $ stentor completion fish > ~/.config/fish/completions/stentor.fish`,
    );
}

function wordsOf(program: Command): Word[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: firstSentence(command.description()),
    flags: [
      ...command.options.map(({ short, long, description, flags, argChoices = [] }) => ({
        names: [long, short].filter((name) => name !== undefined && name !== null),
        description: firstSentence(description),
        hasValue: /[<[]/.test(flags),
        choices: argChoices,
        isFile: /<file>/.test(flags),
      })),
      { names: ['--help', '-h'], description: 'display help for command', hasValue: false, choices: [], isFile: false },
    ],
    choices: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
  }));
}

function firstSentence(text: string): string {
  return text.split(/[.:;] | \(|\.$/)[0] ?? '';
}

function bashScript(words: readonly Word[]): string {
  const values = words.flatMap(({ name, flags }) =>
    flags.flatMap(({ names, hasValue, choices, isFile }) => {
      if (!hasValue) return [];
      const patterns = names.map((flag) => `'${name} ${flag}'`).join('|');
      return [
        `    ${patterns}) ${isFile ? 'COMPREPLY=($(compgen -f -- "$current"))' : `COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$current"))`}; return ;;`,
      ];
    }),
  );
  const lists = words.map(({ name, flags, choices }) => {
    return `    ${name}) words='${[...choices, ...flags.map(({ names }) => names[0])].join(' ')}' ;;`;
  });
  return `# bash completion for stentor
_stentor() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command='' words=''
  [ "$COMP_CWORD" -gt 1 ] && command="\${COMP_WORDS[1]}"
  case "$command $previous" in
${values.join('\n')}
  esac
  case "$command" in
    '') words='${words.map(({ name }) => name).join(' ')} help --help --version' ;;
${lists.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _stentor stentor
`;
}

function zshScript(words: readonly Word[]): string {
  const commands = words.map(({ name, description }) => `    ${quoted(`${name}:${description}`)}`);
  const cases = words.map(({ name, flags, choices }) => {
    const specs = flags.map(({ names, description, hasValue, choices: values, isFile }) => {
      const value = hasValue ? `:value:${isFile ? '_files' : values.length > 0 ? `(${values.join(' ')})` : ''}` : '';
      // A flag of two names is not offered twice.
      const braces = names.length > 1 ? `'(${names.join(' ')})'{${names.join(',')}}` : (names[0] ?? '');
      return `${braces}${quoted(`[${description.replace(/[[\]:]/g, ' ')}]${value}`)}`;
    });
    const rest = choices.length > 0 ? [quoted(`*:argument:(${choices.join(' ')})`)] : [quoted('*:argument:_default')];
    return `    ${name}) _arguments ${[...specs, ...rest].join(' ')} ;;`;
  });
  return `#compdef stentor
# zsh completion for stentor
_stentor() {
  local -a commands
  commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _stentor ]; then _stentor "$@"; else compdef _stentor stentor; fi
`;
}

function fishScript(words: readonly Word[]): string {
  const lines = words.flatMap(({ name, description, flags, choices }) => [
    `complete -c stentor -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ...(choices.length > 0 ? [`complete -c stentor -f -n '__fish_seen_subcommand_from ${name}' -a ${quoted(choices.join(' '))}`] : []),
    ...flags.map(({ names, description: what, hasValue, choices: values, isFile }) => {
      const forms = names.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
      const value = !hasValue ? '' : isFile ? ' -r -F' : values.length > 0 ? ` -x -a ${quoted(values.join(' '))}` : ' -x';
      return `complete -c stentor -n '__fish_seen_subcommand_from ${name}' ${forms}${value} -d ${quoted(what)}`;
    }),
  ]);
  return `# fish completion for stentor\n${lines.join('\n')}\n`;
}

/** For all three shells, in single quotes. */
function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, ' ')}'`;
}
