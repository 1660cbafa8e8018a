import {
  closeRun,
  DagDecision,
  evolveDag,
  initialDag,
  tick,
  triggerRun,
  type DagEvent,
  type DagScheduling,
  type DagState,
  type TriggerRun,
} from '@rondo/domain';
import { dagScheduling } from './dag.ts';

/** Noon of a Wednesday: where the clock of a DagHarness stands. */
export const NOON = Date.UTC(2024, 0, 10, 12);

/** One DAG as its scheduler drives it: each call is one decision, appended to `history`. The runs themselves are not played. */
export class DagHarness {
  readonly history: DagEvent[] = [];
  readonly state: DagState = initialDag('dag');
  now = NOON;

  static published(change: Partial<DagScheduling> = {}): DagHarness {
    const dag = new DagHarness();
    const event: DagEvent = {
      type: 'DagVersionPublished',
      data: { version: 'v1', file: 'dag.ts', bundle: 'b', scheduling: dagScheduling(change) },
    };
    evolveDag(dag.state, event);
    dag.history.push(event);
    return dag;
  }

  decide<T>(change: (d: DagDecision) => T): T {
    const d = new DagDecision(this.state, this.now);
    const result = change(d);
    this.history.push(...d.events);
    return result;
  }

  trigger(change: Partial<TriggerRun> = {}) {
    return this.decide((d) => triggerRun(d, { runType: 'manual', triggeredBy: 'user', suffix: 'x', ...change }));
  }

  /** Asks for a run that must not be refused. */
  run(runId: string, change: Partial<TriggerRun> = {}): void {
    const asked = this.trigger({ runId, ...change });
    if (!asked.ok) throw new Error(asked.error.message);
  }

  close(runId: string, state: 'success' | 'failed' = 'success'): void {
    this.decide((d) => closeRun(d, runId, state));
  }

  tick = (): void => this.decide(tick);

  /** Type of each event after the first version. */
  get types(): string[] {
    return this.history.slice(1).map((event) => event.type);
  }

  /** Ids of the admitted runs, oldest first. */
  get active(): string[] {
    return [...this.state.active.keys()];
  }

  /** The instants of the runs that the timetable asked for. */
  get scheduled(): string[] {
    return this.history.flatMap((e) =>
      e.type === 'RunRequested' && e.data.runType === 'scheduled' ? e.data.runId.slice('scheduled__'.length, -6) : [],
    );
  }
}
