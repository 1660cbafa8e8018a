import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

type Call = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Lets user code look at the folders above the data folder, which Node's permissions cannot grant without the data folder
 * itself: each of them has an alias, a symbolic link that is granted alone, without what lies below it.
 */
export function installAliases(aliases: readonly (readonly [path: string, alias: string])[]): void {
  if (aliases.length === 0) return;
  const byPath = new Map(aliases);
  const alias = (path: unknown): string | undefined => {
    const text =
      typeof path === 'string'
        ? path
        : path instanceof URL && path.protocol === 'file:'
          ? fileURLToPath(path)
          : undefined;
    return text === undefined ? undefined : byPath.get(resolve(text));
  };
  for (const name of ['stat', 'access', 'opendir', 'mkdir', 'readdir', 'lstat'] as const) {
    redirect(fs, name, alias);
    redirect(fs, `${name}Sync`, alias);
    redirect(fs.promises, name, alias);
  }
  redirect(fs, 'existsSync', alias);
  redirect(process, 'chdir', alias);
  syncBuiltinESMExports();
}

function redirect(owner: object, name: string, alias: (path: unknown) => string | undefined): void {
  const methods = owner as Record<string, Call>;
  const original = methods[name]!;
  // A link would describe itself: what it points to is meant.
  const target = name.startsWith('lstat') ? methods[name.slice(1)]! : original;
  methods[name] = function (path, ...rest) {
    const to = alias(path);
    if (to === undefined || rest.some(isRecursiveList)) return original.call(this, path, ...rest);
    if (rest.some(wantsEntries)) return withParent(target.call(this, to, ...rest), to, String(path));
    return target.call(this, to, ...rest);
  };

  function isRecursiveList(option: unknown): boolean {
    return (
      name.startsWith('readdir') &&
      typeof option === 'object' &&
      option !== null &&
      'recursive' in option &&
      option.recursive === true
    );
  }

  function wantsEntries(option: unknown): boolean {
    return typeof option === 'object' && option !== null && 'withFileTypes' in option && option.withFileTypes === true;
  }
}

function withParent(result: unknown, alias: string, path: string): unknown {
  if (result instanceof Promise) return result.then((entries) => withParent(entries, alias, path));
  if (!Array.isArray(result)) return result;
  for (const entry of result as { parentPath: string }[]) if (entry.parentPath === alias) entry.parentPath = path;
  return result;
}

/**
 * Keeps `node:sqlite`, which Node's permissions do not cover, out of a folder. Called when user code first asks for the module.
 * `refusal` answers why a file may not be opened.
 */
export function guardSqlite(refusal: (path: string) => string | undefined): void {
  const sqlite = createRequire(import.meta.url)('node:sqlite') as typeof import('node:sqlite');
  const { SQLITE_ATTACH, SQLITE_DENY, SQLITE_OK } = sqlite.constants;
  const Original = sqlite.DatabaseSync;
  class DatabaseSync extends Original {
    constructor(...args: ConstructorParameters<typeof Original>) {
      const path = fileOf(args[0]);
      const refused = path === undefined ? undefined : refusal(path);
      if (refused !== undefined) throw denied(refused, path);
      super(...args);
      if (this.isOpen) this.#watch();
    }

    override open(): void {
      super.open();
      this.#watch();
    }

    #watch(): void {
      this.setAuthorizer((action, file) => {
        const path = action === SQLITE_ATTACH && file !== null ? fileOf(file) : undefined;
        return path !== undefined && refusal(path) !== undefined ? SQLITE_DENY : SQLITE_OK;
      });
    }
  }
  (sqlite as { DatabaseSync: unknown }).DatabaseSync = DatabaseSync;
  syncBuiltinESMExports();
}

function fileOf(location: string | URL | Buffer): string | undefined {
  const text = location.toString();
  if (text === '' || text.startsWith(':memory:')) return undefined;
  return resolve(
    text.startsWith('file:') ? decodeURIComponent(text.replace(/^file:(?:\/\/[^/]*)?/, '').replace(/\?.*$/, '')) : text,
  );
}

function denied(message: string, path: string | undefined): Error {
  return Object.assign(new Error(message), {
    code: 'ERR_ACCESS_DENIED',
    permission: 'FileSystemRead',
    resource: path,
  });
}
