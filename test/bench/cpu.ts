import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks in a second of `/proc`, the same on every Linux. */
const TICKS = 100;

/** Seconds of CPU that each named process and its descendants, those that live, have used so far. Linux only. */
export function cpuOf(processes: Readonly<Record<string, number>>): Record<string, number> {
  const children = new Map<number, number[]>();
  const used = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statOf(name);
    if (fields === undefined) continue;
    const [pid, parent] = [Number(name), Number(fields[1])];
    used.set(pid, (Number(fields[11]) + Number(fields[12])) / TICKS);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const total = (pid: number): number =>
    (used.get(pid) ?? 0) + (children.get(pid) ?? []).reduce((sum, child) => sum + total(child), 0);
  return Object.fromEntries(Object.entries(processes).map(([name, pid]) => [name, total(pid)]));
}

/** The fields after the command's name, which may hold anything. */
function statOf(pid: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
