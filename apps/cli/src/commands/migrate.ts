import { type Context, type Registry } from '../context.ts';
import { RefusedError, UsageError } from '../exit-codes.ts';
import { facts } from '../output/format.ts';
import { onDataFolder } from './storage.ts';

interface MigrateFlags {
  readonly files?: string;
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
}

async function migrate(context: Context, store: string, flags: MigrateFlags): Promise<void> {
  if (!/^esdb(\+discover)?:\/\/./.test(store))
    throw new UsageError(`the store '${withoutPassword(store)}' is not allowed: esdb://HOST:2113 or esdb+discover://…`);
  const [{ migrate: move }, { DifferentHistoryError }, { StoreUnavailableError }] = await Promise.all([
    import('../offline/migrate.ts'),
    import('@rondo/application'),
    import('@rondo/ports'),
  ]);
  const { files, s3Endpoint: endpoint, s3Region: region } = flags;
  const target = files === undefined || files.startsWith('s3:') ? files : context.path(files);
  const more = { ...(endpoint === undefined ? {} : { endpoint }), ...(region === undefined ? {} : { region }) };
  const report = await onDataFolder(() =>
    move({ folder: context.dataFolder, store, ...(target === undefined ? {} : { files: { target, ...more } }) }),
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

const withoutPassword = (url: string): string => url.replace(/\/\/.*@/, '//…@');

export function registerMigrate({ program, action }: Registry): void {
  program
    .command('migrate')
    .description('copy the history of the data folder (--data), on which no platform runs, to EventStoreDB')
    .argument('<store>', 'connection string of the store: esdb://…')
    .option('--files <target>', 'bring blobs, bundles and logs to a folder or to s3://BUCKET/PREFIX too')
    .option('--s3-endpoint <url>', "address of an S3 server other than Amazon's")
    .option('--s3-region <name>', "region of the bucket (default: as AWS's own tools find it)")
    .action(action(migrate));
}
