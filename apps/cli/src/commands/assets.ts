import { type Context, type Registry, parseCount, readJson } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import type { AssetAnswer, AssetEventAnswer, Page, QueuedAnswer, RunAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { brief, facts, table, time } from '../output/format.ts';

const tasks = (names: AssetAnswer['producers']): string =>
  names.map(({ dagId, taskId }) => `${dagId}.${taskId}`).join(', ');

interface ListOptions {
  readonly pattern?: string;
  readonly group?: string;
  readonly limit: string;
}

async function list(context: Context, { pattern, group, limit }: ListOptions): Promise<void> {
  const query = { pattern, group, limit: parseCount(limit, '--limit') };
  const page = await context.api.get<Page<AssetAnswer>>('/assets', query);
  context.answer(page, () =>
    table(
      ['ASSET', 'GROUP', 'UPDATES', 'LAST', 'MADE BY', 'AWAITED BY'],
      page.items.map((asset) => [
        asset.name,
        asset.group,
        asset.events,
        time(asset.updatedAt),
        tasks(asset.producers),
        asset.consumers.join(', '),
      ]),
    ),
  );
}

async function show(context: Context, name: string): Promise<void> {
  const asset = await context.api.get<AssetAnswer>(path('assets', name));
  context.answer(asset, () =>
    facts([
      ['asset', asset.name],
      ['uri', asset.uri],
      ['group', asset.group],
      ['extra', JSON.stringify(asset.extra)],
      ['made by', tasks(asset.producers)],
      ['read by', tasks(asset.readers)],
      ['awaited by', asset.consumers.join(', ')],
      ['aliases', asset.aliases.join(', ')],
      ['updates', asset.events],
      ['last update', time(asset.updatedAt)],
    ]),
  );
}

function eventsTable(items: readonly AssetEventAnswer[]): string {
  return table(
    ['TIME', 'ASSET', 'REVISION', 'PARTITION', 'BY', 'EXTRA'],
    items.map(({ at, name, revision, partitionKey, source, extra }) => [
      time(at),
      name,
      revision,
      partitionKey,
      source === null ? 'outside' : `${source.dagId} ${source.runId} ${source.taskId}`,
      brief(JSON.stringify(extra), 60),
    ]),
  );
}

interface EventsOptions {
  readonly alias?: boolean;
  readonly partition?: string;
  readonly limit: string;
}

async function events(context: Context, name: string | undefined, options: EventsOptions): Promise<void> {
  const query = {
    ...(options.alias === true ? { alias: name } : { name }),
    partitionKey: options.partition,
    limit: parseCount(options.limit, '--limit'),
  };
  const page = await context.api.get<Page<AssetEventAnswer>>('/assetEvents', query);
  context.answer(page, () => eventsTable(page.items));
}

interface UpdateOptions {
  readonly extra?: string;
  readonly partition?: string;
}

async function update(context: Context, name: string, { extra, partition }: UpdateOptions): Promise<void> {
  const event = await context.api.post<AssetEventAnswer>('/assetEvents', {
    name,
    extra: extra === undefined ? undefined : await readJson(context, extra, '--extra'),
    partitionKey: partition,
  });
  context.answer(event, () => `asset ${name} is updated: revision ${event.revision}`);
}

interface MaterializeOptions {
  readonly conf?: string;
  readonly note?: string;
  readonly partition?: string;
  readonly dag?: string;
}

async function materialize(context: Context, name: string, options: MaterializeOptions): Promise<void> {
  const run = await context.api.post<RunAnswer>(path('assets', name, 'materialize'), {
    conf: options.conf === undefined ? undefined : await readJson(context, options.conf, '--conf'),
    note: options.note,
    partitionKey: options.partition,
    dagId: options.dag,
  });
  context.answer(run, () => `${run.dagId}  ${run.runId}  ${run.state}`);
}

interface QueueOptions {
  readonly dag?: string;
  readonly asset?: string;
  readonly partition?: string;
}

function queueRoute({ dag, asset }: QueueOptions): string {
  if (dag !== undefined && asset !== undefined) return path('dags', dag, 'assets', asset, 'queuedEvents');
  if (dag !== undefined) return path('dags', dag, 'assets', 'queuedEvents');
  if (asset !== undefined) return path('assets', asset, 'queuedEvents');
  throw new UsageError('whose queued events? give --dag, --asset or both');
}

async function queued(context: Context, options: QueueOptions): Promise<void> {
  const page = await context.api.get<Page<QueuedAnswer>>(queueRoute(options));
  context.answer(page, () =>
    table(
      ['DAG', 'ASSET', 'PARTITION', 'EVENTS', 'LAST'],
      page.items.map((row) => [row.dagId, row.name, row.partitionKey, row.events, time(row.at)]),
    ),
  );
}

async function forget(context: Context, options: QueueOptions): Promise<void> {
  const query = { partitionKey: options.partition };
  const answer = await context.api.remove<{ readonly deleted: number }>(queueRoute(options), query);
  context.answer(answer, () => `${answer.deleted} queued events are deleted`);
}

interface PendingAnswer {
  readonly partitionKey: string;
  readonly updated: readonly string[];
  readonly waitsFor: readonly string[];
  readonly events: number;
  readonly at: number;
}

async function partitions(context: Context, dagId: string): Promise<void> {
  const page = await context.api.get<Page<PendingAnswer>>(path('dags', dagId, 'assets', 'pendingPartitions'));
  context.answer(page, () =>
    table(
      ['PARTITION', 'UPDATED', 'WAITS FOR', 'EVENTS', 'LAST'],
      page.items.map((row) => [
        row.partitionKey,
        row.updated.join(', '),
        row.waitsFor.join(', '),
        row.events,
        time(row.at),
      ]),
    ),
  );
}

export function registerAssets({ program, action }: Registry): void {
  const assets = program.command('assets').description('the assets that tasks update and DAGs wait for');
  assets
    .command('list')
    .description('list the assets')
    .option('--pattern <text>', 'only names and URIs with this text')
    .option('--group <group>', 'only of this group')
    .option('--limit <n>', 'how many', '50')
    .action(action(list));
  assets.command('show').description('show an asset').argument('<asset>').action(action(show));
  assets
    .command('events')
    .description('list the updates of an asset, or of all, the newest first')
    .argument('[asset]')
    .option('--alias', 'the name is that of an alias')
    .option('--partition <key>', 'only of this partition')
    .option('--limit <n>', 'how many', '50')
    .action(action(events));
  assets
    .command('update')
    .description('say that an asset was updated by somebody from outside')
    .argument('<asset>')
    .option('--extra <json>', 'what is to be known about the update: JSON, @file or -')
    .option('--partition <key>', 'the part of it that is new')
    .action(action(update));
  assets
    .command('materialize')
    .description('run the DAG that makes an asset')
    .argument('<asset>')
    .option('--dag <id>', 'which, where several make it')
    .option('--conf <json>', 'configuration of the run: JSON, @file or -')
    .option('--partition <key>', 'the part of the asset to make')
    .option('--note <text>', 'a note on the run')
    .action(action(materialize));
  const queue = assets.command('queued').description('the events that wait for a run');
  queue
    .command('list')
    .description('list the events that wait for a run')
    .option('--dag <id>', 'for this DAG')
    .option('--asset <name>', 'of this asset')
    .action(action(queued));
  queue
    .command('delete')
    .description('delete events that wait for a run')
    .option('--dag <id>', 'for this DAG')
    .option('--asset <name>', 'of this asset')
    .option('--partition <key>', 'only of this partition')
    .action(action(forget));
  assets
    .command('partitions')
    .description('list the partitions of a DAG that wait for more assets')
    .argument('<dag>')
    .action(action(partitions));
}
