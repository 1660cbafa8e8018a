import { type Context, parseDate, type Registry } from '../context.ts';
import { facts, table, time } from '../output/format.ts';
import { onDataFolder } from './storage.ts';

interface RunsFlags {
  readonly before: string;
  readonly to: string;
  readonly dag?: string;
  readonly delete?: boolean;
}

async function runs(context: Context, flags: RunsFlags): Promise<void> {
  const { archiveRuns } = await import('../offline/archive.ts');
  const report = await onDataFolder(() =>
    archiveRuns({
      folder: context.dataFolder,
      before: parseDate(flags.before, '--before'),
      to: context.path(flags.to),
      isDelete: flags.delete === true,
      now: Date.now(),
      ...(flags.dag === undefined ? {} : { dagId: flags.dag }),
    }),
  );
  context.answer(report, () => {
    const left = report.sealed > 0 ? `${report.sealed} sealed runs are not archived` : '';
    if (report.archive === undefined) return `no run ended before ${flags.before}\n${left}`;
    return facts([
      ['archive', report.archive],
      ['runs', report.runs],
      ['left', left],
      ['events taken away', report.deleted?.events],
      ['blobs taken away', report.deleted?.blobs],
    ]);
  });
}

async function list(context: Context, folder: string): Promise<void> {
  const { archivesIn } = await import('@rondo/adapter-embedded');
  const archives = await archivesIn(context.path(folder));
  context.answer(archives, () => {
    const rows = archives.map(({ id, at, runs: held }) => {
      const ends = held.map(({ endedAt }) => endedAt);
      return [
        id,
        time(at),
        held.length,
        time(ends.reduce((a, b) => Math.min(a, b), Infinity)),
        time(ends.reduce((a, b) => Math.max(a, b), 0)),
      ];
    });
    return table(['ARCHIVE', 'MADE', 'RUNS', 'FIRST ENDED', 'LAST ENDED'], rows);
  });
}

async function restore(context: Context, archive: string): Promise<void> {
  const { restoreRuns } = await import('../offline/archive.ts');
  const { manifest, events } = await onDataFolder(() => restoreRuns(context.dataFolder, context.path(archive)));
  context.answer(
    { archive: manifest.id, runs: manifest.runs.length, events },
    () => `${manifest.runs.length} runs of ${manifest.id} are back, with ${events} events that had been taken away`,
  );
}

export function registerArchive({ program, action }: Registry): void {
  const archive = program.command('archive').description('keep ended runs elsewhere, while no platform runs');
  archive
    .command('runs')
    .description('write an archive of the runs that ended before a date')
    .requiredOption('--before <date>', 'runs that ended before it')
    .requiredOption('--to <folder>', 'where archives are kept')
    .option('--dag <id>', 'runs of this DAG only')
    .option('--delete', 'then take their events, logs and blobs away')
    .action(action(runs));
  archive
    .command('list')
    .description('list archives')
    .argument('<folder>', 'where archives are kept')
    .action(action(list));
  archive
    .command('restore')
    .description('put the runs of an archive back into the data folder (--data)')
    .argument('<archive>', 'the folder of one archive')
    .action(action(restore));
}
