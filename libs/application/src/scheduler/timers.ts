import type { Clock } from '@rondo/ports';

/** One alarm for each DAG: the soonest time at which it, or one of its runs, wants to be looked at. */
export class Timers {
  private readonly clock: Clock;
  private readonly ring: (dagId: string) => void;
  private readonly alarms = new Map<string, { readonly at: number; readonly cancel: () => void }>();

  constructor(clock: Clock, ring: (dagId: string) => void) {
    this.clock = clock;
    this.ring = ring;
  }

  set(dagId: string, at: number | undefined): void {
    const alarm = this.alarms.get(dagId);
    if (alarm?.at === at) return;
    alarm?.cancel();
    if (at === undefined) {
      this.alarms.delete(dagId);
      return;
    }
    const cancel = this.clock.at(at, () => {
      this.alarms.delete(dagId);
      this.ring(dagId);
    });
    this.alarms.set(dagId, { at, cancel });
  }

  clear(): void {
    for (const alarm of this.alarms.values()) alarm.cancel();
    this.alarms.clear();
  }
}
