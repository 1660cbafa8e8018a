import { existsSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDagFile, listFolder } from '@rondo/application';
import type { DagDefinition, ImportFailure } from '@rondo/domain';
import { collectDags, importFailure, serialiseDag, withStaticClock, type Dag } from '@rondo/sdk';
import type { Context } from '../context.ts';
import { RefusedError } from '../exit-codes.ts';

export interface LoadedDag {
  readonly dag: Dag;
  readonly definition: DagDefinition;
  /** Absolute path of the DAG folder. */
  readonly root: string;
}

export interface DagChoice {
  /** A DAG file, or the id of a DAG in the DAG folder. */
  readonly fileOrId: string;
  readonly folder?: string | undefined;
  /** Which DAG of a file that has several. */
  readonly dagId?: string | undefined;
}

/** Loads the DAG that the user names; every problem of its file is told. */
export async function loadDag(context: Context, choice: DagChoice): Promise<LoadedDag> {
  const root = context.path(choice.folder ?? context.terminal.env.RONDO_DAGS ?? 'dags');
  const file = context.path(choice.fileOrId);
  if (existsSync(file) && statSync(file).isFile()) return pick(await loadFile(rootOf(root, file), file), choice);
  return findById(root, choice.fileOrId);
}

/** A file outside of the DAG folder is taken for one of its own folder. */
function rootOf(folder: string, file: string): string {
  const inside = relative(folder, file);
  return inside.startsWith('..') || isAbsolute(inside) ? dirname(file) : folder;
}

interface LoadedFile {
  readonly root: string;
  readonly file: string;
  readonly dags: readonly LoadedDag[];
  readonly errors: readonly ImportFailure[];
}

async function loadFile(root: string, path: string): Promise<LoadedFile> {
  const file = relative(root, path).split(sep).join('/');
  try {
    const exports: unknown = await withStaticClock(root, () => import(pathToFileURL(path).href));
    const { dags, errors } = collectDags(exports, file);
    return { root, file, errors, dags: dags.map((dag) => ({ dag, definition: serialiseDag(dag), root })) };
  } catch (error) {
    return { root, file, dags: [], errors: [importFailure(error, { file, root })] };
  }
}

function pick(loaded: LoadedFile, { dagId }: DagChoice): LoadedDag {
  if (loaded.errors.length > 0) throw new RefusedError(problemOf(loaded));
  const ids = loaded.dags.map(({ definition }) => definition.dagId);
  const chosen =
    dagId === undefined && loaded.dags.length === 1
      ? loaded.dags[0]
      : loaded.dags.find(({ definition }) => definition.dagId === dagId);
  if (chosen !== undefined) return chosen;
  const title =
    dagId === undefined
      ? `${basename(loaded.file)} has ${ids.length} DAGs: name one with --dag`
      : `${loaded.file} has no DAG '${dagId}'`;
  throw new RefusedError({ title, allowed: ids });
}

function problemOf({ file, errors }: LoadedFile) {
  const inWords = (error: ImportFailure): string => {
    const place = [error.file, error.line, error.column].filter((part) => part !== undefined).join(':');
    const subject = [error.dagId && `DAG ${error.dagId}`, error.taskId && `task ${error.taskId}`]
      .filter(Boolean)
      .join(', ');
    return `${place}${subject === '' ? '' : ` (${subject})`}: ${error.message}`;
  };
  return { title: `${file} does not load`, errors: errors.map(inWords) };
}

/** Looks through the files of the folder, the one with the DAG's name first. Broken files do not stand in the way of others. */
async function findById(root: string, dagId: string): Promise<LoadedDag> {
  if (!existsSync(root))
    throw new RefusedError({
      title: `'${dagId}' is no file, and there is no DAG folder ${root}`,
      allowed: 'a DAG file, or the id of a DAG in the folder given with --dags or RONDO_DAGS',
    });
  const files = (await listFolder(root)).map(({ path }) => path);
  const ordered = files.toSorted((a, b) => Number(b.startsWith(`${dagId}.`)) - Number(a.startsWith(`${dagId}.`)));
  const seen: string[] = [];
  const broken: LoadedFile[] = [];
  for (const path of ordered) {
    if (!(await isDagFile(root, path))) continue;
    const loaded = await loadFile(root, `${root}/${path}`);
    if (loaded.errors.length > 0) broken.push(loaded);
    const found = loaded.dags.find(({ definition }) => definition.dagId === dagId);
    if (found !== undefined) return found;
    seen.push(...loaded.dags.map(({ definition }) => definition.dagId));
  }
  throw new RefusedError({
    title: `no DAG '${dagId}' in ${root}`,
    errors: broken.flatMap((loaded) => problemOf(loaded).errors),
    allowed: seen,
  });
}
