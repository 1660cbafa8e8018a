import { type Context, type Registry } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import type { Page, PoolAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { brief, table } from '../output/format.ts';
import { readObject, writeObject } from './variables.ts';

const ALL = { limit: 1_000 };

const slotsText = (slots: number | null): string => (slots === null || slots < 0 ? 'no limit' : String(slots));

function poolsTable(pools: readonly PoolAnswer[]): string {
  return table(
    ['POOL', 'SLOTS', 'OCCUPIED', 'DEFERRED', 'QUEUED', 'OPEN', 'DESCRIPTION'],
    pools.map((pool) => [
      pool.name,
      slotsText(pool.slots),
      String(pool.occupiedSlots),
      `${pool.deferredSlots}${pool.includeDeferred ? '' : ' (not counted)'}`,
      String(pool.queuedSlots),
      slotsText(pool.openSlots),
      brief(pool.description),
    ]),
  );
}

async function list(context: Context): Promise<void> {
  const page = await context.api.get<Page<PoolAnswer>>('/pools', ALL);
  context.answer(page, () => poolsTable(page.items));
}

async function get(context: Context, name: string): Promise<void> {
  const pool = await context.api.get<PoolAnswer>(path('pools', name));
  context.answer(pool, () => poolsTable([pool]));
}

async function set(
  context: Context,
  name: string,
  slots: string,
  { description, includeDeferred }: { readonly description?: string; readonly includeDeferred?: boolean },
): Promise<void> {
  if (!/^(-1|\d+)$/.test(slots))
    throw new UsageError(`slots '${slots}' is not allowed: a whole number from 0, or -1 for no limit`);
  const content = { slots: Number(slots), description, includeDeferred };
  const answer = await context.api.put<PoolAnswer>(path('pools', name), content);
  context.answer(answer, () => `pool ${name} has ${answer.slots < 0 ? 'no limit' : `${answer.slots} slots`}`);
}

async function remove(context: Context, name: string): Promise<void> {
  await context.api.delete(path('pools', name));
  context.answer({ name, deleted: true }, () => `pool ${name} is deleted`);
}

async function importAll(context: Context, file: string): Promise<void> {
  const pools = Object.entries(await readObject(context, file, 'pools by name'));
  const contents = pools.map(([name, value]) => [name, contentOf(name, value, file)] as const);
  await context.api.put('/pools', { pools: Object.fromEntries(contents) });
  context.answer({ imported: pools.length }, () => `${pools.length} pools are set`);
}

/** Airflow's exports are taken too: `include_deferred`. */
function contentOf(name: string, value: unknown, file: string): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(
      `pool '${name}' of ${file} is ${JSON.stringify(value)}; allowed: { "slots": N, "description": "…" }`,
    );
  const { include_deferred: deferred, ...content } = value as Readonly<Record<string, unknown>>;
  return deferred === undefined ? content : { includeDeferred: deferred, ...content };
}

async function exportAll(context: Context, file: string | undefined): Promise<void> {
  const page = await context.api.get<Page<PoolAnswer>>('/pools', ALL);
  const pools = Object.fromEntries(
    page.items.map(({ name, slots, description, includeDeferred }) => [
      name,
      { slots, ...(description === null ? {} : { description }), includeDeferred },
    ]),
  );
  await writeObject(context, file, pools, page.items.length, 'pools');
}

export function registerPools({ program, action }: Registry): void {
  const pools = program.command('pools').description('the pools whose slots tasks share');
  pools.command('list').description('list the pools with their slots').action(action(list));
  pools.command('get').description('show a pool').argument('<name>').action(action(get));
  pools
    .command('set')
    .description('make or resize a pool')
    .argument('<name>')
    .argument('<slots>', 'from 0; -1 for no limit (after --)')
    .option('--description <text>', 'what it is for')
    .option('--include-deferred', 'deferred tasks hold their slots')
    .action(action(set));
  pools.command('delete').description('delete a pool').argument('<name>').action(action(remove));
  pools
    .command('import')
    .description('set all pools of a JSON object')
    .argument('<file>', 'a file, or -')
    .action(action(importAll));
  pools.command('export').description('print or write all pools').argument('[file]').action(action(exportAll));
}
