import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { messageOf } from '../faults.ts';
import { writeFileAtomicSync } from '../files/atomic.ts';
import { DataFolderError } from './errors.ts';
import type { DataPaths } from './paths.ts';

/** Brings a folder from one format to the next. It may be ended at any moment and is then run again from its start. */
export interface FolderMigration {
  /** The format that it makes: one more than the one it takes. */
  readonly to: number;
  readonly describe: string;
  readonly run: (paths: DataPaths) => void | Promise<void>;
}

/** In order, each one more than the one before it; the first makes format 2. */
export const FOLDER_MIGRATIONS: readonly FolderMigration[] = [];

interface FormatFile {
  readonly format: number;
}

const formatOf = (migrations: readonly FolderMigration[]): number => migrations.at(-1)?.to ?? 1;

/** Makes the folder's format this release's: writes it into a new one, migrates an older one, refuses a newer one. */
export async function ensureFormat(
  paths: DataPaths,
  migrations: readonly FolderMigration[] = FOLDER_MIGRATIONS,
): Promise<void> {
  const wanted = formatOf(migrations);
  const found = readFormat(paths);
  if (found === undefined) return writeFormat(paths, wanted);
  if (found > wanted)
    throw new DataFolderError(
      'newer',
      `${paths.folder} has format ${found}, which a newer release of Rondo has written; this release reads formats 1 to ${wanted}. Start the newer release, or restore a backup that was made before it`,
    );
  for (const migration of migrations.filter(({ to }) => to > found)) {
    try {
      await migration.run(paths);
    } catch (error) {
      throw new DataFolderError(
        'unusable',
        `${paths.folder} could not be brought to format ${migration.to} (${migration.describe}): ${messageOf(error)}`,
        error,
      );
    }
    writeFormat(paths, migration.to);
  }
}

function readFormat(paths: DataPaths): number | undefined {
  if (!existsSync(paths.format)) {
    if (!existsSync(paths.events)) return undefined;
    throw new DataFolderError(
      'unusable',
      `${paths.folder} holds ${readdirSync(paths.folder).join(', ')} but no format.json: it is no data folder of Rondo, or a part of one`,
    );
  }
  const text = readFileSync(paths.format, 'utf8');
  try {
    const { format } = JSON.parse(text) as FormatFile;
    if (Number.isInteger(format) && format >= 1) return format;
  } catch {
    // Said below.
  }
  throw new DataFolderError(
    'unusable',
    `${paths.format} holds ${JSON.stringify(text.slice(0, 80))}; {"format": n} with n from 1 is allowed`,
  );
}

function writeFormat(paths: DataPaths, format: number): void {
  writeFileAtomicSync(paths.format, `${JSON.stringify({ format } satisfies FormatFile)}\n`);
}
