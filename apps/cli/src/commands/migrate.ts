import { type Context, type Registry } from '../context.ts';
import { RefusedError, UsageError } from '../exit-codes.ts';
import { facts } from '../output/format.ts';
import type { MigrateReport } from '../offline/migrate.ts';
import { onDataFolder } from './storage.ts';

interface MigrateFlags {
  readonly files?: string;
  readonly runKeys?: string;
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
}

async function migrate(context: Context, store: string, flags: MigrateFlags): Promise<void> {
  if (!/^esdb(\+discover)?:\/\/./.test(store))
    throw new UsageError(`the store '${withoutPassword(store)}' is not allowed: esdb://HOST:2113 or esdb+discover://…`);
  const { runKeys } = flags;
  if (runKeys !== undefined && !/^postgres(ql)?:\/\/./.test(runKeys))
    throw new UsageError(
      `--run-keys '${withoutPassword(runKeys)}' is not allowed: postgres://USER:PASSWORD@HOST/DATABASE`,
    );
  const [{ migrate: move }, { DifferentHistoryError }, { StoreUnavailableError }] = await Promise.all([
    import('../offline/migrate.ts'),
    import('@rondo/application'),
    import('@rondo/ports'),
  ]);
  const { files, s3Endpoint: endpoint, s3Region: region } = flags;
  const target = files === undefined || files.startsWith('s3:') ? files : context.path(files);
  const more = { ...(endpoint === undefined ? {} : { endpoint }), ...(region === undefined ? {} : { region }) };
  const report = await onDataFolder(() =>
    move({
      ...{ folder: context.dataFolder, store },
      ...(target === undefined ? {} : { files: { target, ...more } }),
      ...(runKeys === undefined ? {} : { runKeys }),
    }),
  ).catch((error: unknown) => {
    if (error instanceof DifferentHistoryError) throw new RefusedError({ title: error.message }, { cause: error });
    if (error instanceof StoreUnavailableError)
      throw new RefusedError(
        { title: error.message, detail: 'run the command again: it goes on where it was' },
        { cause: error },
      );
    throw error;
  });
  context.answer(report, () =>
    facts([
      ['data folder', context.dataFolder],
      ['events', `${report.events}, ${report.found} of them found there; compared one by one`],
      ['signed heads', report.signedHeads],
      ['keys of sealed runs', keysText(report)],
      ...(report.files === undefined
        ? []
        : ([
            ['files', report.files.target],
            ['blobs', report.files.blobs],
            ['bundles', report.files.bundles],
            ['logs', report.files.logs],
          ] as const)),
    ]),
  );
}

function keysText({ runKeys, keysLeft }: MigrateReport): string | null {
  if (runKeys !== undefined) return `${runKeys.keys}, and ${runKeys.erased} of erased runs that stay so`;
  return keysLeft === undefined
    ? null
    : `${keysLeft} are left behind: what they have sealed is not readable there (--run-keys)`;
}

const withoutPassword = (url: string): string => url.replace(/\/\/.*@/, '//…@');

export function registerMigrate({ program, action }: Registry): void {
  program
    .command('migrate')
    .description('copy the history of the data folder (--data), on which no platform runs, to EventStoreDB')
    .argument('<store>', 'connection string of the store: esdb://…')
    .option('--files <target>', 'bring blobs, bundles and logs to a folder or to s3://BUCKET/PREFIX too')
    .option('--run-keys <url>', 'bring the keys of sealed runs to PostgreSQL too: postgres://…')
    .option('--s3-endpoint <url>', "address of an S3 server other than Amazon's")
    .option('--s3-region <name>', "region of the bucket (default: as AWS's own tools find it)")
    .action(action(migrate));
}
