import { met, type PastVerdict } from '../past/rule.ts';
import type { DagRunEvent } from './events.ts';
import { evolveRun } from './evolve.ts';
import type { TaskPlan } from './plan.ts';
import type { DagRunState } from './state.ts';

/** What a decision may know besides the state. Time comes in as data. */
export interface DecisionContext {
  /** Epoch milliseconds. */
  readonly now: number;
  /** The DAG is paused, or the run is held: nothing new is scheduled. */
  readonly paused: boolean;
  /** The run is held. */
  readonly isHeld?: boolean;
  readonly isDagPaused?: boolean;
  /** Most attempts of this run and of one lane that are published and not yet acknowledged (I5). */
  readonly window: number;
  /** Most instances that one mapping makes. Default 100,000. */
  readonly maxMapLength?: number;
  /** Whether the past of a task lets it start. Absent: there is no other run. */
  readonly pastOf?: (task: TaskPlan) => PastVerdict;
}

const NO_PAST = met('there is no previous run');

export function pastOfTask(context: DecisionContext, task: TaskPlan): PastVerdict {
  return context.pastOf?.(task) ?? NO_PAST;
}

export const DEFAULT_WINDOW = 500;

/**
 * A decision in the making: each event moves the state as it is emitted, so that the next rule sees it. When the events
 * cannot be appended the state is dropped with the decision and folded anew.
 */
export class Decision {
  readonly run: DagRunState;
  readonly context: DecisionContext;
  readonly events: DagRunEvent[] = [];

  constructor(run: DagRunState, context: DecisionContext) {
    this.run = run;
    this.context = context;
  }

  get now(): number {
    return this.context.now;
  }

  emit(event: DagRunEvent): void {
    this.events.push(event);
    evolveRun(this.run, event);
  }

  /** The state already shows what the event says. */
  record(event: DagRunEvent): void {
    this.events.push(event);
  }
}
