export { decideHold, decideNote, decidePriority, decideRetries } from './adjust.ts';
export { advance, isDone, nextWake, rangesFor } from './advance.ts';
export { blockProblems } from './block-check.ts';
export { decideBackfill, decideClear, decideMark, decideMarkRun, select, type Selection } from './control.ts';
export { Decision, DEFAULT_WINDOW, type DecisionContext } from './decision.ts';
export * from './events.ts';
export { evolveRun } from './evolve.ts';
export { retriesOf } from './hold.ts';
export { priorityOf } from './ready-queue.ts';
export { explain, type Reason } from './explain.ts';
export { compilePlan, type RunPlan, type TaskPlan } from './plan.ts';
export { decidePastAnswers } from './past-answers.ts';
export { grantedTo } from './retry-policy.ts';
export { decideReport, decideTriggered, keyOf, type RunReport, type TriggerAnswer } from './report.ts';
export { decideXCom, type XComChange, type XComRefusal } from './xcom.ts';
export type { ApprovalAnswer, ApprovalRefusal } from './approval.ts';
export { decideApproval, decideWaited } from './waits.ts';
export { compileMapping, type MapScope } from './map-plan.ts';
export { DEFAULT_MAX_MAP_LENGTH, inputOf } from './lengths.ts';
export { leavesAt } from './tree.ts';
export {
  findInstance,
  initialRun,
  isPlaceholder,
  isSchedulable,
  leavesOf,
  type DagRunState,
  type InstanceState,
  type TaskRuntime,
} from './state.ts';
export { Heap } from './heap.ts';
