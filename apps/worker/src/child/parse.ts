import { readdirSync, realpathSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { collectDags, importFailure, referencedFiles, serialiseDag, withStaticClock } from '@rondo/sdk';
import type { DagDefinition, ImportFailure } from '@rondo/domain';
import type { ParseRequest } from '@rondo/ports';
import { importsOf } from './imports.ts';
import type { Resolution } from './resolve.ts';

/** What a parse child sends back: a `ParseResult` without what only the worker knows. */
export interface Parsed {
  readonly dags: readonly DagDefinition[];
  readonly bundleFiles: readonly string[];
  readonly errors: readonly ImportFailure[];
}

/** Loads a DAG file and says what is in it. Never rejects. */
export async function parseFile(request: ParseRequest, resolution: Resolution): Promise<Parsed> {
  const root = realpathSync(request.root);
  const { file } = request;
  const loaded = new Set<string>([file]);
  resolution.root = root;
  resolution.onLoad = (path) => loaded.add(toPosix(relative(root, path)));
  try {
    const namespace: unknown = await withStaticClock(root, () => import(pathToFileURL(join(root, file)).href) as Promise<unknown>);
    const { dags, errors } = collectDags(namespace, file);
    const imports = await importsOf(root, loaded);
    const named = dags.length === 0 ? [] : dags.flatMap((dag) => referencedFiles(dag, listing(root)));
    return {
      dags: dags.map((dag) => serialiseDag(dag)),
      bundleFiles: [...new Set([...loaded, ...imports.files, ...named])].sort(),
      errors: [...errors, ...imports.errors],
    };
  } catch (error) {
    return { dags: [], bundleFiles: [...loaded].sort(), errors: [importFailure(error, { file, root })] };
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
