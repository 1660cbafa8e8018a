import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { show } from '../authoring/error.ts';
import { folderBackend } from './folder-backend.ts';

/** Whose value it is. */
export interface XComAbout {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  /** `''` for an instance that is not mapped, else `3`, `2.5`. */
  readonly mapIndex: string;
  readonly tryNumber: number;
  readonly key: string;
  /** Of the value as JSON. */
  readonly bytes: number;
}

/**
 * Where large XComs are kept. It runs in the task's process, so that it may be user code. A value is stored once for each
 * attempt that pushes it and read by whoever pulls it, at any time after: nothing may be overwritten or dropped meanwhile.
 */
export interface XComBackend {
  /** Stands with each reference: a value is read only by a backend of the name that wrote it. */
  readonly name: string;
  /** Which values it takes; `threshold` in bytes. Default: those above it. What is too large for an event it takes in any case. */
  takes?(about: XComAbout, threshold: number): boolean;
  /** Durable when it resolves. Answers a reference, of at most 1,000 characters, that holds no secret. */
  put(bytes: Uint8Array, about: XComAbout): Promise<string>;
  /** Undefined when there is nothing of that reference any more. */
  get(reference: string): Promise<Uint8Array | undefined>;
}

/** The one that needs no configuration: the platform's own blob store. */
export const BLOBS = 'blobs';
const FOLDER = 'folder:';

/**
 * `blobs`, `folder:/mnt/shared`, or the absolute path or URL of a module whose default export is an `XComBackend`, or a function
 * that makes one. Undefined: the platform's blob store. Throws a TypeError for what is none.
 */
export async function openXComBackend(spec: string): Promise<XComBackend | undefined> {
  if (spec === BLOBS) return undefined;
  if (spec.startsWith(FOLDER)) {
    const folder = spec.slice(FOLDER.length);
    if (!isAbsolute(folder))
      throw new TypeError(`the XCom backend '${spec}' is not allowed: folder: with an absolute path`);
    return folderBackend(folder);
  }
  const url = spec.includes('://') ? spec : pathToFileURL(resolve(spec)).href;
  const module = (await import(url)) as { readonly default?: unknown };
  const given = typeof module.default === 'function' ? await (module.default as () => unknown)() : module.default;
  return checked(given, spec);
}

function checked(given: unknown, spec: string): XComBackend {
  const { name, put, get } = (given ?? {}) as Partial<XComBackend>;
  const problem =
    typeof name !== 'string' || name === '' || name === BLOBS
      ? `its name is ${show(name)}; allowed: a text other than '${BLOBS}'`
      : typeof put !== 'function' || typeof get !== 'function'
        ? 'it lacks put or get'
        : undefined;
  if (problem !== undefined)
    throw new TypeError(
      `the default export of ${spec} is no XCom backend: ${problem}; allowed: { name, put, get }, or a function that makes one`,
    );
  return given as XComBackend;
}
