import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  collectDags,
  importFailure,
  referencedFiles,
  serialiseDag,
  tellRuns,
  withStaticClock,
  type Dag,
} from '@rondo/sdk';
import type { DagDefinition, ImportFailure, Told } from '@rondo/domain';
import type { ParseRequest } from '@rondo/ports';
import { importsOf } from './imports.ts';
import type { Resolution } from './resolve.ts';

/** What a parse child sends back: a `ParseResult` without what only the worker knows. */
export interface Parsed {
  readonly dags: readonly DagDefinition[];
  readonly bundleFiles: readonly string[];
  readonly errors: readonly ImportFailure[];
  /** What the timetable told that the request asks. */
  readonly told?: Told;
}

/** Loads a DAG file and says what is in it. Never rejects. */
export async function parseFile(request: ParseRequest, resolution: Resolution): Promise<Parsed> {
  const root = realpathSync(request.root);
  const { file } = request;
  const loaded = new Set<string>([file]);
  resolution.root = root;
  resolution.onLoad = (path) => loaded.add(toPosix(relative(root, path)));
  try {
    const namespace: unknown = await withStaticClock(
      root,
      () => import(pathToFileURL(join(root, file)).href) as Promise<unknown>,
    );
    const { dags, errors } = collectDags(namespace, file);
    if (request.timetable !== undefined) return await askTimetable(request, request.timetable, dags);
    const imports = await importsOf(root, loaded);
    if (imports.errors.length > 0) return { dags: [], bundleFiles: [...loaded].sort(), errors: imports.errors };
    const read = (path: string): string => readFileSync(join(root, path), 'utf8');
    const named = dags.length === 0 ? [] : dags.flatMap((dag) => referencedFiles(dag, listing(root), read));
    return {
      dags: dags.map((dag) => serialiseDag(dag)),
      bundleFiles: [...new Set([...loaded, ...imports.files, ...named])].sort(),
      errors: [...errors, ...(await timetableFailures(dags, file))],
    };
  } catch (error) {
    return { dags: [], bundleFiles: [...loaded].sort(), errors: await failuresOf(error, request, root, loaded) };
  }
}

/** A timetable of the author's own that cannot say when the first run is due is a mistake of the file. */
async function timetableFailures(dags: readonly Dag[], file: string): Promise<readonly ImportFailure[]> {
  const failures: ImportFailure[] = [];
  for (const dag of dags) {
    const told = await firstRun(dag);
    if (told?.ok !== false) continue;
    const { at } = dag;
    const isHere = at?.file.replaceAll('\\', '/').endsWith(`/${file}`) === true;
    failures.push({
      file,
      dagId: dag.dagId,
      message: `schedule: ${told.error}`,
      ...(isHere ? { line: at!.line } : {}),
    });
  }
  return failures;
}

function firstRun(dag: Dag): ReturnType<typeof tellRuns> | undefined {
  if (dag.ownTimetable === undefined) return undefined;
  const { startDate: earliest = null, endDate: latest = null, timezone, options } = dag;
  const query = { last: null, earliest, latest, catchup: options.catchup ?? false, count: 1 };
  return tellRuns(dag.ownTimetable, query, { now: Date.now(), timezone });
}

async function askTimetable(
  { file }: ParseRequest,
  { dagId, query }: NonNullable<ParseRequest['timetable']>,
  dags: readonly Dag[],
): Promise<Parsed> {
  const dag = dags.find((each) => each.dagId === dagId);
  const nothing = { dags: [], bundleFiles: [file] };
  if (dag?.ownTimetable === undefined)
    return {
      ...nothing,
      errors: [{ file, dagId, message: `the file has no DAG '${dagId}' with a timetable of its own` }],
    };
  const told = await tellRuns(dag.ownTimetable, query, { now: Date.now(), timezone: dag.timezone });
  return told.ok
    ? { ...nothing, errors: [], told: told.value }
    : { ...nothing, errors: [{ file, dagId, message: told.error }] };
}

/** What Node does not say: where an import leaves the folder, and where in plain JavaScript a syntax error is. */
async function failuresOf(
  error: unknown,
  { file }: ParseRequest,
  root: string,
  loaded: ReadonlySet<string>,
): Promise<readonly ImportFailure[]> {
  const failure = importFailure(error, { file, root });
  if (error instanceof SyntaxError && failure.line === undefined) {
    for (const path of loaded) {
      const place = syntaxErrorIn(join(root, path));
      if (place === undefined) continue;
      return [
        path === file ? { ...failure, ...place } : { ...failure, message: `${path}:${place.line}: ${failure.message}` },
      ];
    }
  }
  try {
    const { errors } = await importsOf(root, loaded);
    return errors.length > 0 ? errors : [failure];
  } catch {
    return [failure];
  }
}

function syntaxErrorIn(path: string): { readonly line: number } | undefined {
  if (!/\.[cm]?[jt]s$/.test(path)) return undefined;
  try {
    stripTypeScriptTypes(readFileSync(path, 'utf8'), { sourceUrl: path });
    return undefined;
  } catch (error) {
    const { stack } = error as Error;
    const line = stack?.startsWith(`${path}:`) === true ? /^:(\d+)/.exec(stack.slice(path.length))?.[1] : undefined;
    return line === undefined ? undefined : { line: Number(line) };
  }
}

/** Files of the folder, relative and with `/`, without what no bundle holds. */
function listing(root: string): string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules' || entry.name === '__pycache__') continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile()) found.push(path);
    }
  };
  visit('');
  return found.sort();
}

export function toPosix(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/');
}
