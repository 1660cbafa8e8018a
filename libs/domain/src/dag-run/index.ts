export { advance, isDone, nextWake } from './advance.ts';
export { decideClear, decideMark, decideMarkRun, select, type Selection } from './control.ts';
export { Decision, DEFAULT_WINDOW, type DecisionContext } from './decision.ts';
export * from './events.ts';
export { evolveRun } from './evolve.ts';
export { explain, type Reason } from './explain.ts';
export { compilePlan, type RunPlan, type TaskPlan } from './plan.ts';
export { decideReport, decideTriggered, keyOf, type RunReport, type TriggerAnswer } from './report.ts';
export { findInstance, initialRun, leavesOf, type DagRunState, type InstanceState, type TaskRuntime } from './state.ts';
