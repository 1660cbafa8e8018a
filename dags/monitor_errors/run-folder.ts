/**
 * Where a run keeps its files: `rondo-monitor-errors/<run id>` in the folder of RONDO_EXAMPLE_FILES, which all workers share;
 * without it, in the system's temporary folder.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorRecord } from './records.ts';

/** The same for every task of a run, whichever process it runs in. */
export const runFolder = (runId: string): string =>
  join(process.env.RONDO_EXAMPLE_FILES || tmpdir(), 'rondo-monitor-errors', runId.replaceAll(/[^\w.-]/g, '_'));

export const rawLog = (folder: string, app: string): string => join(folder, `${app}.log`);
export const errorsFile = (folder: string): string => join(folder, 'errors.ndjson');
export const databaseFile = (folder: string): string => join(folder, 'errors.db');

export async function writeErrors(file: string, errors: readonly ErrorRecord[]): Promise<void> {
  await writeFile(file, errors.map((error) => `${JSON.stringify(error)}\n`).join(''));
}

export async function readErrors(file: string): Promise<readonly ErrorRecord[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ErrorRecord);
}
