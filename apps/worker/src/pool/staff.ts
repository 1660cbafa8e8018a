import type { Alarm } from './alarm.ts';
import type { LogBacklog } from './attempt-log.ts';
import { Child, type ChildEvents } from './child.ts';
import type { Launcher } from './launcher.ts';
import type { PoolLimits } from './limits.ts';
import type { ChildEnd } from './outcomes.ts';
import { residentMiB } from './processes.ts';

export interface StaffOptions {
  readonly launcher: Launcher;
  readonly maxChildren: number;
  readonly secrets: readonly string[];
  readonly backlog: LogBacklog;
  readonly alarm: Alarm;
  readonly events: ChildEvents;
  readonly onStarted: (child: Child) => void;
}

const RETRY_MS = 1_000;
const SAMPLE_MS = 1_000;
const MAX_FAILED_STARTS = 5;

/** The children of a pool: how many there are, and which of them makes way for another bundle. */
export class Staff {
  readonly #options: StaffOptions;
  readonly #children = new Set<Child>();
  #isClosed = false;
  #failedStarts = 0;
  #mayStartAt = 0;

  constructor(options: StaffOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#children.size;
  }

  [Symbol.iterator](): Iterator<Child> {
    return this.#children.values();
  }

  find(pid: number): Child | undefined {
    for (const child of this.#children) if (child.pid === pid) return child;
    return undefined;
  }

  hasIdle(key: string | undefined): boolean {
    for (const child of this.#children) if (child.state === 'idle' && child.key === key) return true;
    return false;
  }

  /** Whether a child of the bundle is there, and not about to end. */
  serves(key: string): boolean {
    for (const child of this.#children) if (child.key === key && child.state !== 'ending') return true;
    return false;
  }

  /** False: there is no room, or starting has just failed. */
  start(now: number): boolean {
    const { maxChildren, launcher, events, backlog, secrets, alarm, onStarted } = this.#options;
    if (this.#isClosed || this.#children.size >= maxChildren) return false;
    if (now < this.#mayStartAt) {
      alarm.by(this.#mayStartAt, now);
      return false;
    }
    const child = new Child(launcher, events, backlog, secrets, now);
    this.#children.add(child);
    onStarted(child);
    return true;
  }

  /**
   * Starts children for waiting work, in place of idle ones where there are enough. Blank ones that are idle or starting
   * count: they take it. Which idle one goes is drawn: where bundles take turns and there are more of them than children,
   * the least recently used is the very one that is needed next.
   */
  makeRoom(wanted: number, now: number): void {
    const children = [...this.#children];
    const isComing = ({ state, key, current }: Child): boolean =>
      state === 'starting' || (state === 'idle' && key === undefined) || (state === 'ending' && current === undefined);
    const idle = children.filter(({ state, key }) => state === 'idle' && key !== undefined);
    for (let missing = wanted - children.filter(isComing).length; missing > 0; missing--) {
      if (!this.start(now)) idle.splice(Math.floor(Math.random() * idle.length), 1)[0]?.kill('SIGKILL');
    }
  }

  /** While there is room, one child without a bundle stands ready for the next bundle. */
  keepSpare(now: number): void {
    if (this.#children.size === 0) return;
    for (const { key, state } of this.#children) {
      if (key === undefined && (state === 'idle' || state === 'starting')) return;
    }
    this.start(now);
  }

  onReady(): void {
    this.#failedStarts = 0;
  }

  /** Answers why, when children fail to start again and again. */
  onEnd(child: Child, { code, signal, exiting }: ChildEnd, notice: (text: string) => void): string | undefined {
    this.#children.delete(child);
    if (child.wasReady || this.#isClosed) return undefined;
    const now = performance.now();
    this.#mayStartAt = now + RETRY_MS;
    this.#options.alarm.by(this.#mayStartAt, now);
    const reason = exiting?.where ?? (signal === null ? `exit code ${code}` : `signal ${signal}`);
    notice(`a child process could not be started: ${reason}`);
    return ++this.#failedStarts < MAX_FAILED_STARTS ? undefined : reason;
  }

  /** Ends all; none is started any more. */
  close(): void {
    this.#isClosed = true;
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

/** Whether a child has served long enough, or has grown too large. */
export function isWorn(child: Child, { maxAttempts, recycleAgeMs, maxRssMiB }: PoolLimits, now: number): boolean {
  if (child.served >= maxAttempts && now - child.startedAt >= recycleAgeMs) return true;
  if (now - child.lastSampled < SAMPLE_MS) return false;
  child.lastSampled = now;
  return (residentMiB(child.pid) ?? 0) > maxRssMiB;
}
