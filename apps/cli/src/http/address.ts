import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const DEFAULT_URL = 'http://127.0.0.1:8080';

export interface Address {
  readonly url: string;
  /** Where the address comes from, to be told when nothing answers there. */
  readonly source: string;
}

/** The platform's address: the option, else RONDO_URL, else what a platform on the data folder wrote down, else the default. */
export function findAddress(
  option: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  dataFolder: string,
): Address {
  if (option !== undefined) return { url: trimmed(option), source: '--url' };
  if (env.RONDO_URL !== undefined && env.RONDO_URL !== '') return { url: trimmed(env.RONDO_URL), source: 'RONDO_URL' };
  const file = join(dataFolder, 'api.json');
  const running = readAddress(file);
  return running === undefined ? { url: DEFAULT_URL, source: 'the default' } : { url: trimmed(running), source: file };
}

const trimmed = (url: string): string => url.replace(/\/+$/, '');

function readAddress(file: string): string | undefined {
  try {
    const { url, pid } = JSON.parse(readFileSync(file, 'utf8')) as { readonly url?: unknown; readonly pid?: unknown };
    return typeof url === 'string' && typeof pid === 'number' && isAlive(pid) ? url : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
