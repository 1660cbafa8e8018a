import { type Context, type Registry } from '../context.ts';
import { RefusedError } from '../exit-codes.ts';

interface BackupAnswer {
  readonly path: string;
  readonly position: number;
}

/** The running platform writes it: a copy of its data folder at one position, taken without a pause. */
async function backup(context: Context, target: string): Promise<void> {
  const answer = await context.api.post<BackupAnswer>('/backup', { path: context.path(target) });
  context.answer(answer, () => `backup at position ${answer.position} written to ${answer.path}`);
}

async function backupKeys(context: Context, file: string): Promise<void> {
  const { backupRunKeys } = await import('@rondo/adapter-embedded');
  const answer = await onDataFolder(async () => backupRunKeys(context.dataFolder, context.path(file)));
  context.answer(answer, () => `${answer.keys} keys of sealed runs written to ${answer.path}`);
}

async function restore(context: Context, source: string): Promise<void> {
  const { restoreDataFolder } = await import('@rondo/adapter-embedded');
  const report = await onDataFolder(() => restoreDataFolder(context.path(source), context.dataFolder));
  context.answer(
    report,
    () => `${context.dataFolder} is restored from ${context.path(source)}: ${report.events} events, verified`,
  );
}

/** A data folder that cannot be used is a refusal, with its reason; anything else is a bug. */
export async function onDataFolder<T>(work: () => Promise<T>): Promise<T> {
  const { DataFolderError } = await import('@rondo/adapter-embedded');
  try {
    return await work();
  } catch (error) {
    if (error instanceof DataFolderError) throw new RefusedError({ title: error.message }, { cause: error });
    throw error;
  }
}

export function registerStorage({ program, action }: Registry): void {
  program
    .command('backup')
    .description('have the running platform write a backup of its data folder')
    .argument('<folder>', 'where to; must not exist yet')
    .action(action(backup));
  program
    .command('backup-keys')
    .description('copy the keys of sealed runs of the data folder (--data), which no backup holds')
    .argument('<file>', 'where to; one that is there is replaced')
    .action(action(backupKeys));
  program
    .command('restore')
    .description('make a data folder (--data), which must not exist yet, of a backup')
    .argument('<folder>', 'a backup')
    .action(action(restore));
}
