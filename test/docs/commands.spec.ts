import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProgram } from '../../apps/cli/src/program.ts';
import type { Terminal } from '../../apps/cli/src/terminal.ts';
import { HELP, readConfig } from '../../apps/standalone/src/config.ts';
import { readOptions } from '../bench/options.ts';
import { codeIn, firstCells, pageAt, pages, root, type Page } from './markdown.ts';

type Command = ReturnType<typeof createProgram>;

/** The words of a command line, as a shell parts them. */
function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, bare]) => single ?? double ?? bare!);
}

/** Lines of shell blocks, and commands in backticks; a comment and what a variable is set to are no part of one. */
function commandLines({ blocks, prose }: Page): readonly string[] {
  const shell = blocks.filter(({ language }) => language === 'bash').flatMap(({ text }) => text.split('\n'));
  // What names a command without its arguments is a mention: its help must be there.
  const inline = codeIn(prose).map((code) => (/^npx rondo( [a-z]+)+$/.test(code) ? `${code} --help` : code));
  return [...shell, ...inline]
    .map((line) => line.replace(/^(?:[A-Z_]+=(?:\$\([^)]*\)|\S*) )+/, '').trim())
    .filter((line) => /^(npx|npm|rondo) /.test(line) && !/…|\.\.\./.test(line));
}

const leaves = (command: Command): readonly Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);

/** What the command line says of the arguments; empty when it takes them. Nothing is carried out. */
async function usageError(words: readonly string[]): Promise<string> {
  let said = '';
  const terminal: Terminal = {
    stdout: { write: () => undefined },
    stderr: { write: (text) => (said += text) },
    env: {},
    cwd: root,
    readInput: () => Promise.resolve(''),
    onInterrupt: () => new AbortController().signal,
  };
  const program = createProgram(terminal, () => undefined);
  for (const leaf of leaves(program)) leaf.action(() => undefined);
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if ((error as { readonly exitCode?: number }).exitCode !== 0) return said || String(error);
  }
  return '';
}

const startError = (args: readonly string[]): string => {
  const parsed = readConfig(args, { RONDO_API_TOKEN: '0123456789abcdef' }, root);
  return parsed.kind === 'bad' ? parsed.problems.join('\n') : '';
};

const scripts = (
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly scripts: Readonly<Record<string, string>> }
).scripts;

function npmError([verb, ...rest]: readonly string[]): string | Promise<string> {
  const args = rest.slice(rest.indexOf('--') + 1 || rest.length);
  const isRun = verb === 'run';
  const script = isRun ? rest.find((word) => !word.startsWith('-')) : verb;
  if (isRun && script === undefined) return '';
  if (script === undefined || scripts[script] === undefined) return `there is no script '${script}'`;
  if (script === 'start') return startError(args);
  if (script === 'rondo') return rondoError(args);
  if (script === 'bench' && args.length > 0 && args[0] !== 'SCENARIO') readOptions(args);
  return '';
}

const rondoError = (args: readonly string[]): string | Promise<string> =>
  args[0] === 'start' ? startError(args.slice(1)) : usageError(args);

const errorOf = (line: string): string | Promise<string> => {
  const [program, ...args] = wordsOf(line);
  if (program === 'npm') return npmError(args);
  return rondoError(program === 'npx' ? args.slice(1) : args);
};

describe('commands in pages', () => {
  const shown = pages.flatMap((page) => commandLines(page).map((line) => [page.path, line] as const));

  it.each(shown)('%s: %s', async (_path, line) => {
    expect(await errorOf(line)).toBe('');
  });

  it.each([
    ['npx rondo dags lst', /unknown command|too many|invalid/i],
    ['npx rondo dags trigger', /missing required argument/],
    ['npx rondo runs list --what', /unknown option/],
    ['npm start -- --what', /Unknown option/],
    ['npm run nothing', /no script/],
  ])('a wrong one is found: %s', async (line, said) => {
    expect(await errorOf(line)).toMatch(said);
  });
});

describe('docs/cli.md', () => {
  /** `dags list` of `| \`dags list\` | … |`, every command of a cell with several. */
  const described = pageAt('docs/cli.md')
    .prose.split('\n')
    .filter((line) => line.startsWith('| `'));
  const names = new Set(
    described
      .flatMap((line) => codeIn(line.split('|')[1]!))
      .map((code) =>
        code
          .split(' ')
          .filter((word) => /^[a-z-]+$/.test(word))
          .join(' '),
      ),
  );
  const program = createProgram({} as Terminal, () => undefined);
  const pathOf = (command: Command): string =>
    command.parent === null || command.parent === undefined
      ? ''
      : `${pathOf(command.parent as Command)} ${command.name()}`.trim();

  it.each(leaves(program).map((leaf) => [pathOf(leaf), leaf] as const))(
    'describes %s and its options',
    (path, leaf) => {
      expect([...names]).toContain(path);
      const lines = described.filter((line) => line.includes(`\`${path}`)).join('\n');
      for (const { long } of leaf.options) expect(pageAt('docs/cli.md').text).toContain(long!);
      expect(lines).not.toBe('');
    },
  );

  it('describes the options of every command', () => {
    for (const { long } of program.options) expect(pageAt('docs/cli.md').text).toContain(long!);
  });
});

describe('docs/running.md', () => {
  const flagsOf = (text: string): readonly string[] => [...new Set(text.match(/--[a-z][a-z-]*/g))].sort();
  const table = firstCells(pageAt('docs/running.md'), '## Flags and environment');

  it('lists the flags that the platform has, and no other', () => {
    expect(flagsOf(table.join(' '))).toEqual(flagsOf(HELP.replace('npm start -- [options]', '')));
  });

  it.each(table.map((cell) => [codeIn(cell)[0]!]))('%s is taken', (shown) => {
    const [flag, value] = shown.split(' ');
    const sample = {
      DIR: 'x',
      ADDRESS: '127.0.0.1',
      N: '1',
      NAME: 'local',
      NAMES: 'a,b',
      DAG: 'x',
      SPEC: 'blobs',
      CHOICE: 'yes',
    }[value ?? ''];
    expect(startError(sample === undefined ? [flag!] : [flag!, sample])).toBe('');
  });

  it('lists the environment of the platform', () => {
    for (const name of HELP.match(/RONDO_[A-Z_]+/g)!) expect(pageAt('docs/running.md').text).toContain(name);
  });
});
