import { isAbsolute, join } from 'node:path';
import { PokeReturn, resolveConnection, Sensor, templatable, type Poked, type TaskContext } from '@rondo/sdk';
import * as z from 'zod';

export interface FileSensorArgs {
  /** A file, a folder with a file in it, or a pattern (`*`, `?`, `[…]`, `{…}`). Absolute, or relative to the connection. A template. */
  readonly path: string;
  /** True: `**` in the pattern stands for folders of any depth. Default false: it is as `*`. */
  readonly recursive?: boolean;
  /** Id of a connection whose `extra.path` comes before `path`. */
  readonly connection?: string;
}

/** What the task returns of what it found. */
const MAX_FOUND = 100;

/** Waits for a file, or for a folder that has one in it. Returns the paths that were found, at most 100. */
export class FileSensor extends Sensor<FileSensorArgs, readonly string[]> {
  static override readonly templateFields = ['path'];
  static override readonly schema = z.strictObject({
    path: templatable(z.string().min(1).describe('a path or a pattern')),
    recursive: z.boolean().describe('true or false').optional(),
    connection: z.string().min(1).describe('the id of a connection').optional(),
  });

  async poke(
    ctx: TaskContext,
    { path, recursive = false, connection }: FileSensorArgs,
  ): Promise<Poked<readonly string[]>> {
    const { glob, stat } = await import('node:fs/promises');
    const pattern = await absolute(ctx, path, connection);
    const found: string[] = [];
    for await (const match of glob(recursive ? pattern : pattern.replaceAll('**', '*'))) {
      const entry = await stat(match).catch(() => undefined);
      if (entry === undefined || (entry.isDirectory() && !(await holdsFile(match)))) continue;
      if (found.push(match) === MAX_FOUND) break;
    }
    return found.length > 0 && new PokeReturn(found.sort());
  }
}

async function absolute(ctx: TaskContext, path: string, connection: string | undefined): Promise<string> {
  if (connection === undefined && !isAbsolute(path))
    throw new Error(`path is '${path}'; allowed: an absolute path, or one relative to a connection`);
  if (connection === undefined) return path;
  const base = (await resolveConnection(ctx, connection)).extra?.['path'];
  if (typeof base !== 'string' || !isAbsolute(base))
    throw new Error(`extra.path of connection '${connection}' is ${JSON.stringify(base)}; allowed: an absolute path`);
  return join(base, path);
}

async function holdsFile(folder: string): Promise<boolean> {
  const { opendir } = await import('node:fs/promises');
  for await (const entry of await opendir(folder, { recursive: true })) if (!entry.isDirectory()) return true;
  return false;
}
