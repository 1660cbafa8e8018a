import type { Clock, Ids } from '@rondo/ports';
import type { Dice } from './dice.ts';
import type { VirtualTime } from './virtual-time.ts';

/**
 * A process: whatever reaches its code from outside (a timer, an answer, a message) passes through `enter`. Stopped, it finds
 * all of that when it goes on; dead, it never does.
 */
export class Machine {
  readonly name: string;
  readonly time: VirtualTime;
  readonly clock: Clock;
  readonly ids: Ids;
  state: 'running' | 'stopped' | 'dead' = 'running';
  private readonly held: (() => void)[] = [];
  private readonly atDeath: (() => void)[] = [];

  /** `skewMs`: how far its wall clock is wrong. */
  constructor(name: string, time: VirtualTime, dice: Dice, skewMs = 0) {
    this.name = name;
    this.time = time;
    this.ids = { uuid: () => dice.uuid() };
    this.clock = {
      now: () => Math.floor(time.wall + skewMs),
      at: (at, callback) => this.after(at - skewMs - time.wall, callback),
    };
  }

  get isDead(): boolean {
    return this.state === 'dead';
  }

  enter(work: () => void): void {
    if (this.state === 'dead') return;
    if (this.state === 'running' && this.held.length === 0) work();
    else this.held.push(work);
  }

  after(ms: number, callback: () => void): () => void {
    let isCancelled = false;
    const cancel = this.time.after(ms, () => this.enter(() => (isCancelled ? undefined : callback())));
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** As SIGSTOP does. */
  stop(): void {
    if (this.state === 'running') this.state = 'stopped';
  }

  /** As SIGCONT does: all that has come meanwhile comes now, in its order. */
  wake(): void {
    if (this.state !== 'stopped') return;
    this.state = 'running';
    const resume = (): void => {
      if (this.state !== 'running') return;
      this.held.shift()?.();
      if (this.held.length > 0) this.time.after(0, resume);
    };
    // One after another, so that the promises of each are followed before the next.
    if (this.held.length > 0) this.time.after(0, resume);
  }

  onDeath(callback: () => void): void {
    this.atDeath.push(callback);
  }

  /** As SIGKILL does. */
  kill(): void {
    if (this.state === 'dead') return;
    this.state = 'dead';
    this.held.length = 0;
    for (const callback of this.atDeath.splice(0)) callback();
  }
}
