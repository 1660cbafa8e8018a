import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process group as the journal keeps it: its leader, and when that was started, so that a later process is not taken for it. */
export interface RecordedGroup {
  readonly pid: number;
  /** As the system tells it: clock ticks since boot, or a date. Empty: unknown. */
  readonly start: string;
}

interface Stat {
  readonly state: string;
  readonly group: number;
  readonly start: string;
}

export function recordOf(pid: number): RecordedGroup {
  return { pid, start: startOf(pid) ?? '' };
}

/** Signals a whole process group; false when it is not there any more. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  // 0 would be this process's own group, 1 everything.
  if (pid <= 1) return false;
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Ends recorded groups and whatever else bears the token, and waits (at most 5 s) until they are gone. */
export async function endRecorded(groups: readonly RecordedGroup[], token: string | undefined): Promise<void> {
  const alive = groups.filter(isStillThere);
  for (const { pid } of alive) signalGroup(pid, 'SIGKILL');
  if (token !== undefined) endBearers(token);
  for (let i = 0; i < 500 && alive.some(({ pid }) => groupLives(pid)); i++) await sleep(10);
}

/** Kills every process whose environment has the token: also those that left their group. Only where there is a /proc. */
export function endBearers(token: string): void {
  for (const pid of processIds()) {
    if (pid === process.pid || !environmentOf(pid).includes(token)) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Resident memory in MiB; undefined where the system does not tell. */
export function residentMiB(pid: number): number | undefined {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4_096) / 1_048_576;
  } catch {
    return undefined;
  }
}

/** Whether a recorded group is alive. A leader that is gone leaves its number to its group, which no other process can get meanwhile. */
export function isStillThere({ pid, start }: RecordedGroup): boolean {
  if (start === '') return false;
  const now = startOf(pid);
  return now === undefined ? signalGroup(pid, 0) : now === start;
}

function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') return statOf(pid)?.start;
  const { status, stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Whether a group has a process that is not merely waiting to be reaped. */
export function groupLives(group: number): boolean {
  if (!signalGroup(group, 0)) return false;
  const pids = processIds();
  return (
    pids.length === 0 ||
    pids.some((pid) => {
      const stat = statOf(pid);
      return stat?.group === group && stat.state !== 'Z';
    })
  );
}

function processIds(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

function statOf(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name in brackets may hold anything: fields are counted from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, group: Number(fields[2]), start: fields[19]! };
}
