import type { Command } from 'commander';
import { type Context, type Registry } from '../context.ts';
import { UsageError } from '../exit-codes.ts';

/** What may follow a command: `''` is the program itself, `dags list` a command. */
export interface Words {
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly { readonly flag: string; readonly description: string }[];
}

export function wordsOf(program: Command): readonly Words[] {
  const globals = optionsOf(program);
  const walk = (command: Command, path: string): Words[] => [
    {
      path,
      commands: command.commands.map((child) => ({ name: child.name(), description: child.description() })),
      options: path === '' ? globals : [...optionsOf(command), ...globals],
    },
    ...command.commands.flatMap((child) => walk(child, path === '' ? child.name() : `${path} ${child.name()}`)),
  ];
  return walk(program, '');
}

const optionsOf = (command: Command) =>
  command.options.map((option) => ({
    flag: option.long ?? option.short ?? option.flags,
    description: option.description,
  }));

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Sets `reply` by the command in `at`. */
function cases(words: readonly Words[]): string {
  return words
    .map(
      ({ path, commands, options }) =>
        `    ${quote(path)}) reply=${quote([...commands.map((c) => c.name), ...options.map((o) => o.flag)].join(' '))} ;;`,
    )
    .join('\n');
}

/** Sets `at` to the command so far, without options and arguments. In zsh `path` and `words` have a meaning of their own. */
const WALK = `  local at='' word next
  for word in "\${typed[@]}"; do
    case "$word" in -*) continue ;; esac
    next="\${at:+$at }$word"
    case "$known" in *"|$next|"*) at="$next" ;; esac
  done`;

const knownPaths = (words: readonly Words[]): string => quote(`|${words.map(({ path }) => path).join('|')}|`);

const bash = (words: readonly Words[]): string => `# rondo completion for bash: eval "$(rondo completion bash)"
_rondo() {
  local known=${knownPaths(words)} reply=''
  local typed=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
${WALK}
  case "$at" in
${cases(words)}
  esac
  COMPREPLY=($(compgen -W "$reply" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _rondo rondo
`;

const zsh = (words: readonly Words[]): string => `#compdef rondo
# rondo completion for zsh: eval "$(rondo completion zsh)"
_rondo() {
  local known=${knownPaths(words)} reply=''
  local -a typed
  typed=("\${(@)words[2,CURRENT-1]}")
${WALK}
  case "$at" in
${cases(words)}
  esac
  compadd -- \${=reply} || _files
}
compdef _rondo rondo
`;

const fish = (words: readonly Words[]): string => {
  const lines = words.flatMap(({ path, commands, options }) => {
    const condition = quote(`__rondo_at ${quote(path)}`.replaceAll("'", '"'));
    return [
      ...commands.map((c) => `complete -c rondo -f -n ${condition} -a ${quote(c.name)} -d ${quote(c.description)}`),
      ...options.map(
        (o) => `complete -c rondo -n ${condition} -l ${quote(o.flag.replace(/^--/, ''))} -d ${quote(o.description)}`,
      ),
    ];
  });
  return `# rondo completion for fish: rondo completion fish | source
function __rondo_at
  set -l known ${quote(`|${words.map(({ path }) => path).join('|')}|`)}
  set -l path ''
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and continue
    set -l next (string trim -- "$path $word")
    string match -q -- "*|$next|*" $known; and set path $next
  end
  test "$path" = "$argv[1]"
end
${lines.join('\n')}
`;
};

const SHELLS: Readonly<Record<string, (words: readonly Words[]) => string>> = { bash, zsh, fish };

export function registerCompletion({ program, action }: Registry): void {
  const print = (context: Context, shell: string): Promise<void> => {
    const make = SHELLS[shell];
    if (make === undefined)
      throw new UsageError(`no completion for '${shell}'; allowed: ${Object.keys(SHELLS).join(', ')}`);
    context.say(make(wordsOf(program)));
    return Promise.resolve();
  };
  program
    .command('completion')
    .description('print the completion script of a shell')
    .argument('<shell>', Object.keys(SHELLS).join(', '))
    .action(action(print));
}
