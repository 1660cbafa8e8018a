import { paint } from '@rondo/nest-platform/progress';
import type { HistoryReport } from '@rondo/ports';
import { type Context, parseCount, type Registry } from '../context.ts';
import { EXIT, RefusedError, UsageError } from '../exit-codes.ts';
import type { EventAnswer, Page } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { brief, facts, table, time } from '../output/format.ts';
import { withTotal } from './dags.ts';
import { AS_OF, type PastOptions } from './runs.ts';
import { onDataFolder } from './storage.ts';

interface ShowOptions extends PastOptions {
  readonly limit: string;
  readonly offset: string;
  readonly offline?: boolean;
}

async function eventsOf(
  context: Context,
  dagId: string,
  runId: string,
  options: ShowOptions,
): Promise<Page<EventAnswer>> {
  const limit = parseCount(options.limit, '--limit');
  const offset = parseCount(options.offset, '--offset', 0);
  if (options.offline !== true)
    return context.api.get<Page<EventAnswer>>(path('dags', dagId, 'runs', runId, 'events'), {
      limit,
      offset,
      asOf: options.asOf,
    });
  const { storedEvents } = await import('../offline/stored-run.ts');
  const events = await onDataFolder(() => storedEvents(context.dataFolder, dagId, runId));
  if (events.length === 0)
    throw new RefusedError({ title: `the history in ${context.dataFolder} has no run '${runId}' of DAG '${dagId}'` });
  return { items: events.slice(offset, offset + limit), total: events.length };
}

async function show(context: Context, dagId: string, runId: string, options: ShowOptions): Promise<void> {
  const page = await eventsOf(context, dagId, runId, options);
  context.answer(page, () => {
    const rows = page.items.map((event) => {
      const { at, ...rest } = event.data;
      return [event.position, event.revision, time(at ?? event.meta.at), event.type, brief(JSON.stringify(rest), 100)];
    });
    return withTotal(table(['POSITION', 'REVISION', 'TIME', 'EVENT', 'DATA'], rows), page, 'events');
  });
}

/** Of services: nothing is signed there. */
async function verifyStore(store: string): Promise<HistoryReport> {
  if (!/^esdb(\+discover)?:\/\/./.test(store))
    throw new UsageError('--store: esdb://HOST:2113 or esdb+discover://… is allowed');
  const [{ eventStoreDb }, { verifyChains }, { StoreUnavailableError }] = await Promise.all([
    import('@rondo/adapter-eventstoredb'),
    import('@rondo/application'),
    import('@rondo/ports'),
  ]);
  const opened = eventStoreDb({ connectionString: store });
  try {
    return await verifyChains(opened);
  } catch (error) {
    if (error instanceof StoreUnavailableError) throw new RefusedError({ title: error.message }, { cause: error });
    throw error;
  } finally {
    await opened.close();
  }
}

async function verifyFolder(context: Context): Promise<HistoryReport> {
  const { verifyHistory } = await import('@rondo/adapter-embedded');
  return onDataFolder(() => verifyHistory(context.dataFolder));
}

async function verify(context: Context, { store }: { readonly store?: string }): Promise<void> {
  const report = store === undefined ? await verifyFolder(context) : await verifyStore(store);
  context.exitCode = report.faults.length === 0 ? EXIT.ok : EXIT.failed;
  context.answer(report, () => {
    const head = facts([
      ['data folder', store === undefined ? context.dataFolder : null],
      ['events', report.events],
      ['streams', report.streams],
      ['head', report.head],
      ['signed heads', store === undefined ? report.signedHeads : null],
    ]);
    if (report.faults.length === 0) return `${head}\n${paint(context.colors, 'success', 'the history is whole')}`;
    const rows = report.faults.map((fault) => [
      fault.kind,
      fault.stream,
      fault.revision,
      fault.position,
      fault.message,
    ]);
    return `${head}\n${paint(context.colors, 'failed', `${rows.length} faults`)}\n${table(['FAULT', 'STREAM', 'REVISION', 'POSITION', 'MESSAGE'], rows)}`;
  });
}

export function registerHistory({ program, action }: Registry): void {
  const history = program.command('history').description('what has happened, event by event');
  history
    .command('show')
    .description('list the events of a run')
    .argument('<dag>')
    .argument('<run>')
    .option('--limit <n>', 'at most so many', '1000')
    .option('--offset <n>', 'after so many', '0')
    .option(...AS_OF)
    .option('--offline', 'from the data folder (--data), while no platform runs on it')
    .action(action(show));
  history
    .command('verify')
    .description(
      'check the history of the data folder (--data): changed, missing, swapped or cut events; exit status 1 if there are any',
    )
    .option('--store <url>', 'that of services, in EventStoreDB: esdb://…')
    .action(action(verify));
}
