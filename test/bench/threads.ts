import { readdirSync, readFileSync } from 'node:fs';

/** CPU milliseconds by thread of this process and by child process, where the system tells (Linux). */
export function cpuByThread(childPids: readonly number[] = []): Readonly<Record<string, number>> {
  const used: Record<string, number> = {};
  const add = (path: string, name?: string): void => {
    try {
      const text = readFileSync(path, 'utf8');
      const close = text.lastIndexOf(')');
      const fields = text.slice(close + 2).split(' ');
      const key = name ?? text.slice(text.indexOf('(') + 1, close);
      used[key] = (used[key] ?? 0) + (Number(fields[11]) + Number(fields[12])) * 10;
    } catch {
      // The thread or process has ended.
    }
  };
  try {
    for (const id of readdirSync('/proc/self/task'))
      add(`/proc/self/task/${id}/stat`, Number(id) === process.pid ? 'main' : undefined);
  } catch {
    return used;
  }
  for (const pid of childPids) add(`/proc/${pid}/stat`, 'children');
  return used;
}
