import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptSettings } from '@rondo/sdk';
import type { ChildConfig } from '../child/frames.ts';
import { grantsFor, type Grants } from './permissions.ts';

export interface LaunchOptions {
  /** Absolute. The platform's data folder: closed to user code. */
  readonly dataFolder: string;
  /** Absolute, inside the data folder: where bundles are unpacked. Children may read it. */
  readonly bundlesFolder: string;
  /** Absolute. Where children may write, in its folder `files`: `TMPDIR`, emptied at each start, and caches. Made when missing. */
  readonly tmpFolder: string;
  /** Working folder of children. */
  readonly cwd: string;
  /** Folders from where npm packages are found when the bundle's place has none. */
  readonly moduleRoots: readonly string[];
  /** All that children see, but for `TMPDIR` and their mark. */
  readonly env: Readonly<Record<string, string>>;
  /** Children run as this user; needs root. */
  readonly runAsUser?: { readonly uid: number; readonly gid: number };
  readonly settings: AttemptSettings;
  /** False: no permission model, for DAGs whose packages do not bear it. */
  readonly permissions: boolean;
  /** Of this start of the worker: in the environment of every process that descends from it, whatever group it is in. */
  readonly token: string;
}

const TOKEN_VARIABLE = 'RONDO_WORKER_TOKEN';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const ENTRY = fileURLToPath(new URL(`../child/main.${extension}`, import.meta.url));

export interface Launched {
  readonly process: ChildProcess;
  /** Stands in the environment of the child and of all that it starts, and nowhere else. */
  readonly mark: string;
  /** To be called once the child has said that it is ready, and once when it has ended. */
  ready(): void;
  ended(): void;
}

/** Starts child processes, all alike. */
export class Launcher {
  readonly #options: LaunchOptions;
  readonly #grants: Grants | undefined;
  readonly #files: string;
  readonly #own: string;
  readonly #env: Readonly<Record<string, string>>;
  #count = 0;

  constructor(options: LaunchOptions) {
    this.#options = options;
    const { dataFolder, bundlesFolder, tmpFolder, runAsUser, permissions } = options;
    this.#files = join(tmpFolder, 'files');
    this.#own = join(tmpFolder, 'children');
    const [scratch, cache] = [join(this.#files, 'scratch'), join(this.#files, 'cache')];
    for (const folder of [this.#own, scratch]) rmSync(folder, { recursive: true, force: true });
    for (const folder of [this.#own, scratch, cache]) mkdirSync(folder, { recursive: true });
    if (runAsUser !== undefined) {
      for (const folder of [this.#files, scratch, cache]) chownSync(folder, runAsUser.uid, runAsUser.gid);
      closeToOthers(
        resolve(dataFolder),
        [bundlesFolder, tmpFolder].map((folder) => resolve(folder)),
      );
    }
    if (permissions)
      this.#grants = grantsFor({ closed: [dataFolder], readable: [bundlesFolder], writable: [this.#files] });
    this.#env = { ...options.env, TMPDIR: scratch };
  }

  /** `heapMiB` limits the child's JavaScript heap; `youngMiB` each half of its young part: what is small grows less. */
  launch({ heapMiB, youngMiB }: { readonly heapMiB?: number; readonly youngMiB?: number } = {}): Launched {
    const { cwd, runAsUser, dataFolder, moduleRoots, settings } = this.#options;
    const folder = join(this.#own, String(++this.#count));
    const aliases = (this.#grants?.ancestors ?? []).map((path, i) => [path, join(folder, String(i))] as const);
    const config: ChildConfig = {
      moduleRoots,
      files: this.#files,
      settings,
      aliases,
      ...(this.#grants === undefined ? {} : { dataFolder: resolve(dataFolder) }),
    };
    const flags = [
      ...this.#permit(folder, aliases),
      ...(heapMiB === undefined ? [] : [`--max-old-space-size=${heapMiB}`]),
      ...(youngMiB === undefined ? [] : [`--max-semi-space-size=${youngMiB}`]),
    ];
    const mark = markOf(this.#options.token, this.#count);
    const child = spawn(process.execPath, [...flags, ENTRY, JSON.stringify(config)], {
      cwd,
      env: { ...this.#env, [TOKEN_VARIABLE]: mark },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      // A process group of its own, so that it ends with all that it started.
      detached: true,
      ...runAsUser,
    });
    return {
      process: child,
      mark,
      ready: () => {
        for (const [path, alias] of aliases) symlinkSync(path, alias);
      },
      ended: () => rmSync(folder, { recursive: true, force: true }),
    };
  }

  /**
   * The grants go by a file: as arguments they would fill the list of processes, and Node would hand them on in
   * `NODE_OPTIONS`. Aliases are links that do not exist yet when the child reads its grants: only then is a link granted
   * alone, without what is below.
   */
  #permit(folder: string, aliases: ChildConfig['aliases']): string[] {
    if (this.#grants === undefined) return [];
    const { read, write } = this.#grants;
    const links = aliases.map(([, alias]) => alias);
    const permission = {
      permission: true,
      'allow-fs-read': [...read, ...links],
      'allow-fs-write': [...write, ...links],
      ...Object.fromEntries(
        ['child-process', 'addons', 'worker', 'net', 'wasi'].map((name) => [`allow-${name}`, true]),
      ),
    };
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'permissions.json');
    writeFileSync(file, JSON.stringify({ permission }));
    return [
      `--experimental-config-file=${file}`,
      '--disable-warning=SecurityWarning',
      '--disable-warning=ExperimentalWarning',
    ];
  }
}

/** Without a number: what the marks of all children of a worker begin with. */
export function markOf(token: string, child?: number): string {
  return child === undefined ? `${token}.` : `${token}.${child};`;
}

/** The permissions of the system, against what Node's do not reach: other users may pass the folder, and see these parts only. */
function closeToOthers(folder: string, open: readonly string[]): void {
  chmodSync(folder, 0o711);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (open.includes(path)) chmodSync(path, 0o755);
    else if (open.some((one) => one.startsWith(`${path}/`))) closeToOthers(path, open);
    else if (entry.isFile() || entry.isDirectory()) chmodSync(path, entry.isFile() ? 0o600 : 0o700);
  }
}
