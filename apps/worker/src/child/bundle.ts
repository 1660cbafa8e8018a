import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { realpathSync } from 'node:fs';
import { collectDags, importFailure, withStaticClock, type Dag } from '@rondo/sdk';
import type { ImportFailure } from '@rondo/domain';
import type { BindFrame } from './frames.ts';
import type { Resolution } from './resolve.ts';

/** The DAGs of the one bundle that this child serves (I16), or why they could not be loaded. */
export interface LoadedBundle {
  readonly root: string;
  readonly dags: ReadonlyMap<string, Dag>;
  readonly errors: readonly ImportFailure[];
}

/** Never rejects. */
export async function loadBundle(bind: BindFrame, resolution: Resolution): Promise<LoadedBundle> {
  const root = realpathSync(resolve(bind.root));
  resolution.root = root;
  try {
    const namespace: unknown = await withStaticClock(
      root,
      () => import(pathToFileURL(join(root, bind.file)).href) as Promise<unknown>,
    );
    const { dags, errors } = collectDags(namespace, bind.file);
    return { root, dags: new Map(dags.map((dag) => [dag.dagId, dag])), errors };
  } catch (error) {
    return { root, dags: new Map(), errors: [importFailure(error, { file: bind.file, root })] };
  }
}

/** What to tell of a DAG that the bundle does not hold. */
export function missingDag(
  bundle: LoadedBundle,
  dagId: string,
  file: string,
): { readonly message: string; readonly stack?: string } {
  const failure = bundle.errors.find((error) => error.dagId === dagId) ?? bundle.errors[0];
  if (failure === undefined)
    return { message: `${file} holds no DAG '${dagId}', only ${[...bundle.dags.keys()].join(', ') || 'none'}` };
  const place = failure.line === undefined ? failure.file : `${failure.file}:${failure.line}`;
  return { message: `${place}: ${failure.message}`, ...(failure.stack === undefined ? {} : { stack: failure.stack }) };
}
