import { readFileSync, statSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { init, parse } from 'es-module-lexer';
import type { ImportFailure } from '@rondo/domain';

const CODE = /\.[cm]?[jt]s$/;
const TYPESCRIPT = /\.[cm]?ts$/;

/**
 * The files of `root` that these files import, and those that they import in turn: also by an `import()` of a plain text
 * that loading has not reached. An import that leaves the folder is an error, since no bundle would hold it.
 */
export async function importsOf(
  root: string,
  from: Iterable<string>,
): Promise<{ readonly files: ReadonlySet<string>; readonly errors: readonly ImportFailure[] }> {
  await init;
  const files = new Set(from);
  const errors: ImportFailure[] = [];
  for (const file of files) {
    if (!CODE.test(file)) continue;
    const source = readFileSync(join(root, file), 'utf8');
    // Types give way to spaces: positions stay.
    const [imports] = parse(TYPESCRIPT.test(file) ? stripTypeScriptTypes(source) : source, file);
    for (const { n: specifier, s: position } of imports) {
      if (specifier === undefined || !/^\.{1,2}\//.test(specifier)) continue;
      const target = resolve(root, dirname(file), specifier.replace(/[?#].*$/, ''));
      if (!target.startsWith(root + sep)) errors.push(outside(file, specifier, source, position));
      else if (isFile(target)) files.add(relative(root, target).replaceAll(sep, '/'));
    }
  }
  return { files, errors };
}

function outside(file: string, specifier: string, source: string, position: number): ImportFailure {
  const before = source.slice(0, position).split('\n');
  return {
    file,
    message: `import of '${specifier}' leaves the DAG folder: a DAG file may import npm packages and files of its folder`,
    line: before.length,
    column: before.at(-1)!.length + 1,
  };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
