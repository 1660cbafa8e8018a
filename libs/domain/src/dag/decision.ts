import type { DagEvent } from './events.ts';
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

  constructor(dag: DagState, now: number) {
    this.dag = dag;
    this.now = now;
  }

  emit(event: DagEvent): void {
    this.events.push(event);
    evolveDag(this.dag, event);
  }
}
