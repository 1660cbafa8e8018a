import { registerHooks } from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Packages that a DAG file may import from anywhere: they are this installation's own. */
const OWN = /^@rondo\/(?:sdk|operators)(?:\/|$)/;

export interface Resolution {
  /** The folder whose modules are user code: the bundle's, or the DAG folder while parsing. Set before user code is loaded. */
  root: string | undefined;
  /** Called for each module of `root` that is loaded, and once for each built-in module that user code asks for. */
  onLoad: ((path: string) => void) | undefined;
  /** True once code of the child can start processes that write to its stdout. */
  startsProcesses: boolean;
  onSqlite: (() => void) | undefined;
}

/**
 * How modules are found: the SDK from anywhere, npm packages from the bundle upwards and then from `moduleRoots`, and a
 * `.ts` file of the bundle as a module whatever the nearest package.json says.
 */
export function installResolution(moduleRoots: readonly string[]): Resolution {
  const state: Resolution = { root: undefined, onLoad: undefined, startsProcesses: false, onSqlite: undefined };
  const fallbacks = moduleRoots.map((folder) => pathToFileURL(join(folder, 'package.json')).href);
  registerHooks({
    resolve(specifier, context, next) {
      if (OWN.test(specifier)) return next(specifier, { ...context, parentURL: import.meta.url });
      if (specifier.endsWith('child_process')) state.startsProcesses = true;
      if (specifier === 'node:sqlite') state.onSqlite?.();
      try {
        return next(specifier, context);
      } catch (error) {
        if (!isBare(specifier) || !isMissing(error)) throw error;
        for (const parentURL of fallbacks) {
          try {
            return next(specifier, { ...context, parentURL });
          } catch (again) {
            if (!isMissing(again)) throw again;
          }
        }
        throw error;
      }
    },
    load(url, context, next) {
      const path = state.root !== undefined && url.startsWith('file:') ? fileURLToPath(url) : undefined;
      if (path === undefined || !path.startsWith(state.root + sep) || path.includes(`${sep}node_modules${sep}`))
        return next(url, context);
      state.onLoad?.(path);
      return next(url, path.endsWith('.ts') ? { ...context, format: 'module-typescript' } : context);
    },
  });
  return state;
}

function isBare(specifier: string): boolean {
  return !specifier.startsWith('.') && !specifier.startsWith('/') && !specifier.includes(':');
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND' || code === 'ERR_ACCESS_DENIED';
}
