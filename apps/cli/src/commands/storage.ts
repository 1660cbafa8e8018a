import { type Context, type Registry } from '../context.ts';

interface BackupAnswer {
  readonly path: string;
  readonly position: number;
}

/** The running platform writes it: a copy of its data folder at one position, taken without a pause. */
async function backup(context: Context, target: string): Promise<void> {
  const answer = await context.api.post<BackupAnswer>('/backup', { path: context.path(target) });
  context.answer(answer, () => `backup at position ${answer.position} written to ${answer.path}`);
}

async function restore(context: Context, source: string): Promise<void> {
  const { restoreDataFolder } = await import('@rondo/adapter-embedded');
  const report = await restoreDataFolder(context.path(source), context.dataFolder);
  context.answer(report, () => `${context.dataFolder} is restored from ${context.path(source)}`);
}

export function registerStorage({ program, action }: Registry): void {
  program
    .command('backup')
    .description('have the running platform write a backup of its data folder')
    .argument('<folder>', 'where to; must not exist yet')
    .action(action(backup));
  program
    .command('restore')
    .description('make a data folder (--data) of a backup; no platform may run on it')
    .argument('<folder>', 'a backup')
    .action(action(restore));
}
