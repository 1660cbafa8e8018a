import type { DagEvent, RunRequestedData } from './events.ts';
import { evolveDag, type DagState } from './state.ts';

/** Expected refusals, with what is allowed in the message. */
export interface DagRefusal {
  readonly code: 'not_found' | 'conflict' | 'invalid' | 'retired';
  readonly message: string;
}

/** A decision in the making: each event moves the state as it is emitted. */
export class DagDecision {
  readonly dag: DagState;
  readonly now: number;
  readonly events: DagEvent[] = [];

  /** Every run is sealed, whatever its DAG says. */
  private readonly sealsAll: boolean;

  constructor(dag: DagState, now: number, sealsAll = false) {
    this.dag = dag;
    this.now = now;
    this.sealsAll = sealsAll;
  }

  /** Of runs of a DAG that is sealed, and where the platform seals all (I14). */
  get seals(): boolean {
    return this.sealsAll || this.dag.scheduling?.sealed === true;
  }

  emit(event: DagEvent): void {
    const whole = event.type === 'RunRequested' && this.seals ? sealed(event.data) : event;
    this.events.push(whole);
    evolveDag(this.dag, whole);
  }
}

const sealed = (data: RunRequestedData): DagEvent => ({ type: 'RunRequested', data: { ...data, sealed: true } });
