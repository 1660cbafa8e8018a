import { readdirSync, readFileSync } from 'node:fs';

const PAGE_BYTES = 4_096;

export interface ProcessTree {
  readonly pids: readonly number[];
  readonly bytes: number;
}

/** A process and all that descend from it, with the memory that is theirs. Linux alone; elsewhere the process by itself. */
export function treeOf(root: number): ProcessTree {
  const children = new Map<number, number[]>();
  const memory = new Map<number, number>();
  for (const name of entries()) {
    const stat = statOf(name);
    if (stat === undefined) continue;
    memory.set(stat.pid, stat.bytes);
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), stat.pid]);
  }
  const pids = [root];
  for (let i = 0; i < pids.length; i++) pids.push(...(children.get(pids[i]!) ?? []));
  return { pids, bytes: pids.reduce((sum, pid) => sum + (memory.get(pid) ?? 0), 0) };
}

/** What is gone already is passed over. */
export function killAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
}

function entries(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** `pid (name) state ppid …`; the 24th field is the resident set in pages. */
function statOf(name: string): { readonly pid: number; readonly parent: number; readonly bytes: number } | undefined {
  try {
    const text = readFileSync(`/proc/${name}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { pid: Number(name), parent: Number(fields[1]), bytes: Number(fields[21]) * PAGE_BYTES };
  } catch {
    return undefined;
  }
}
