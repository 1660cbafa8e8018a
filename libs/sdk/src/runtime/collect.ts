import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImportFailure } from '@rondo/domain';
import { Dag } from '../authoring/dag.ts';
import { DagError, describe, relativeTo, show } from '../authoring/error.ts';
import type { CollectedDags } from './contract.ts';

/**
 * The DAGs of a module: its default export, one or an array, each completed and checked. A DAG with an error is left out and
 * does not hurt the others. `file` is relative to the DAG folder, with `/`. Never throws.
 */
export function collectDags(moduleExports: unknown, file: string): CollectedDags {
  const dags: Dag[] = [];
  const errors: ImportFailure[] = [];
  const exported =
    typeof moduleExports === 'object' && moduleExports !== null && 'default' in moduleExports
      ? moduleExports.default
      : undefined;
  if (exported === undefined)
    return {
      dags,
      errors: [{ file, message: 'the file has no default export; allowed: export default a Dag, or an array of them' }],
    };
  const seen = new Set<string>();
  for (const [i, candidate] of [exported].flat().entries()) {
    if (!Dag.is(candidate)) {
      const where = Array.isArray(exported) ? `item ${i} of the default export` : 'the default export';
      errors.push({ file, message: `${where} is ${show(candidate)}; allowed: a Dag, or an array of them` });
      continue;
    }
    candidate.file = file;
    const problems = seen.has(candidate.dagId)
      ? [candidate.error(`id '${candidate.dagId}' is given twice in this file; allowed: an id that no other DAG has`)]
      : candidate.complete();
    seen.add(candidate.dagId);
    if (problems.length === 0) dags.push(candidate);
    else errors.push(...problems.map((problem) => dagFailure(problem, file)));
  }
  return { dags, errors };
}

function dagFailure(error: DagError, file: string, root?: string): ImportFailure {
  const { reason, dagId, taskId, at } = error;
  const isHere = at !== undefined && at.file.replaceAll('\\', '/').endsWith(`/${file}`);
  // The failure's own fields say where in the DAG file it is; another file is named in the message.
  const message = describe(reason, { dagId, taskId, ...(isHere ? {} : { at }) }, root ?? '/');
  return {
    file,
    message,
    ...(isHere ? { line: at.line, column: at.column } : {}),
    ...(dagId === undefined ? {} : { dagId }),
    ...(taskId === undefined ? {} : { taskId }),
  };
}

/** What a load threw, as data: message, and line and column in the DAG file where they are known. */
export function importFailure(
  error: unknown,
  { file, root }: { readonly file: string; readonly root: string },
): ImportFailure {
  if (DagError.is(error)) return dagFailure(error, file, root);
  if (!(error instanceof Error)) return { file, message: `the file threw ${show(error)}` };
  const stack =
    typeof error.stack === 'string'
      ? error.stack.replaceAll(`file://${root}/`, '').replaceAll(`${root}/`, '')
      : undefined;
  const message = `${error.name === 'Error' ? '' : `${error.name}: `}${error.message.replaceAll(`file://${root}/`, '').replaceAll(`${root}/`, '')}`;
  const place = (stack === undefined ? undefined : placeIn(stack, file)) ?? importLine(error, join(root, file));
  const elsewhere =
    place === undefined && error instanceof SyntaxError && stack !== undefined
      ? /^(\S+\.[cm]?[jt]s):(\d+)/.exec(stack)
      : null;
  return {
    file,
    message: hinted(elsewhere === null ? message : `${relativeTo(root, elsewhere[1]!)}:${elsewhere[2]}: ${message}`),
    ...place,
    ...(stack === undefined ? {} : { stack: stack.slice(0, 8_192) }),
  };
}

/** The first mention of the file with a line: a frame of the stack, or the head that Node prints over a syntax error. */
function placeIn(stack: string, file: string): { readonly line: number; readonly column?: number } | undefined {
  const at = stack.indexOf(`${file}:`);
  if (at === -1) return undefined;
  const match = /^:(\d+)(?::(\d+))?/.exec(stack.slice(at + file.length));
  if (match === null) return undefined;
  return { line: Number(match[1]), ...(match[2] === undefined ? {} : { column: Number(match[2]) }) };
}

/** A module that is not found is told without the line that asks for it: the file is searched for that. */
function importLine(error: Error, path: string): { readonly line: number } | undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') return undefined;
  const name = /Cannot find (?:package|module) '([^']+)'/.exec(error.message)?.[1]?.split('/').at(-1);
  if (name === undefined || !existsSync(path)) return undefined;
  const lines = readFileSync(path, 'utf8').split('\n');
  const at = lines.findIndex((line) => /\b(import|from|require)\b/.test(line) && line.includes(name));
  return at === -1 ? undefined : { line: at + 1 };
}

function hinted(message: string): string {
  if (/enum|namespace|parameter propert/i.test(message) && /not supported in strip-only mode/.test(message))
    return `${message}; allowed in a DAG file: TypeScript whose types can be left out (no enum, namespace with values, or parameter property)`;
  return message;
}
