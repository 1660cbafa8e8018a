import { readFile, writeFile } from 'node:fs/promises';
import { type Context, type Registry } from '../context.ts';
import { RefusedError, UsageError } from '../exit-codes.ts';
import type { ImportAnswer, Page, VariableAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { brief, table } from '../output/format.ts';

const ALL = { limit: 1_000 };

async function list(context: Context): Promise<void> {
  const page = await context.api.get<Page<VariableAnswer>>('/variables', ALL);
  context.answer(page, () =>
    table(
      ['KEY', 'DESCRIPTION'],
      page.items.map(({ key, description }) => [key, brief(description)]),
    ),
  );
}

async function get(context: Context, key: string, { reveal }: { readonly reveal?: boolean }): Promise<void> {
  const variable = await context.api.get<VariableAnswer>(path('variables', key), { reveal });
  context.answer(variable, () => variable.value);
  if (variable.masked && !context.json) context.warn('the key sounds secret: --reveal shows the value');
}

async function set(
  context: Context,
  key: string,
  value: string,
  options: { readonly description?: string },
): Promise<void> {
  const given = value === '-' ? (await context.terminal.readInput()).replace(/\r?\n$/, '') : value;
  const answer = await context.api.put<unknown>(path('variables', key), {
    value: given,
    description: options.description,
  });
  context.answer(answer, () => `variable ${key} is set`);
}

async function remove(context: Context, key: string): Promise<void> {
  await context.api.delete(path('variables', key));
  context.answer({ key, deleted: true }, () => `variable ${key} is deleted`);
}

/** Reads a file of the user's, or `-`: the standard input. */
export async function readObject(
  context: Context,
  file: string,
  what: string,
): Promise<Readonly<Record<string, unknown>>> {
  const source =
    file === '-'
      ? await context.terminal.readInput()
      : await readFile(context.path(file), 'utf8').catch((error: NodeJS.ErrnoException) => {
          throw new RefusedError({ title: `cannot read ${context.path(file)}`, detail: error.message });
        });
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${file} is not allowed: a JSON object of ${what}`);
  return value as Readonly<Record<string, unknown>>;
}

/** To a file that only its owner may read, or to the standard output. */
export async function writeObject(
  context: Context,
  file: string | undefined,
  value: unknown,
  count: number,
  noun: string,
): Promise<void> {
  const text = `${JSON.stringify(value, undefined, 2)}\n`;
  if (file === undefined) {
    context.say(text);
    return;
  }
  await writeFile(context.path(file), text, { mode: 0o600 });
  context.warn(`${count} ${noun} written to ${context.path(file)}`);
}

async function importAll(context: Context, file: string): Promise<void> {
  const variables = await readObject(context, file, 'variables by key');
  const { imported } = await context.api.post<ImportAnswer>('/import/variables', { variables });
  context.answer({ imported }, () => `${imported} variables are set`);
}

async function exportAll(context: Context, file: string | undefined): Promise<void> {
  const values = await context.api.get<Readonly<Record<string, string>>>('/export/variables');
  await writeObject(context, file, values, Object.keys(values).length, 'variables');
}

export function registerVariables({ program, action }: Registry): void {
  const variables = program
    .command('variables')
    .description('the variables that tasks may read; they are stored encrypted');
  variables.command('list').description('list the keys').action(action(list));
  variables
    .command('get')
    .description('print a value')
    .argument('<key>')
    .option('--reveal', 'even if its key sounds secret')
    .action(action(get));
  variables
    .command('set')
    .description('set a value')
    .argument('<key>')
    .argument('<value>', 'the value, or - for the standard input')
    .option('--description <text>', 'what it is for')
    .action(action(set));
  variables.command('delete').description('delete a variable').argument('<key>').action(action(remove));
  variables
    .command('import')
    .description('set all values of a JSON object')
    .argument('<file>', 'a file, or -')
    .action(action(importAll));
  variables
    .command('export')
    .description('print or write all values, in clear')
    .argument('[file]')
    .action(action(exportAll));
}
