import type { RunStartedData } from './events.ts';
import type { RunPlan, TaskPlan } from './plan.ts';
import { Blocks } from './blocks.ts';
import { Heap } from './heap.ts';
import type { PastAnswer } from './past-answers.ts';
import { PastWaits } from './past-waits.ts';
import { ReadyQueue, type ReadyLane } from './ready-queue.ts';
import { WakeQueue } from './wake-queue.ts';
import type { AttemptOverrides } from '../retry/index.ts';
import {
  UNMAPPED,
  type ApprovalResponse,
  type MapIndex,
  type OnTimeout,
  type RunState,
  type TaskState,
  type WaitFor,
  type XComValue,
} from '../task-instance/index.ts';

/** What a try keeps of its deferrals over its legs. */
export interface Deferral {
  readonly resume?: string;
  /** Epoch milliseconds. */
  readonly deadline?: number;
  readonly onTimeout?: OnTimeout;
  readonly onFailed?: 'skip';
  /** Given, and not yet followed by the end of the wait. */
  readonly response?: ApprovalResponse;
  /** What the last wait was met with. */
  readonly payload?: XComValue;
  /** Position of the last event that ended a wait of this try (I6): later waits of the try go on after it. */
  readonly consumed?: number;
}
import { recount } from './gates.ts';
import { isNode, leavesUnder, newGate, placeAt, type Gate, type MapNode } from './tree.ts';

/** One task instance of the run. What is marked derived can be told from the rest and from the plan. */
export interface InstanceState {
  readonly task: TaskPlan;
  /** Shorter than the task has levels: it stands for instances that are not mapped yet, and never runs. */
  readonly mapIndex: MapIndex;
  readonly parent: MapNode | undefined;
  gate: Gate;
  state: TaskState;
  /** 0 before the first try; grows when the instance is scheduled. */
  tryNumber: number;
  /** `retries` at first: a try may be followed by another while its number is not over it. After a clear `tryNumber + retries`. */
  maxTries: number;
  leg: number;
  /** I19: attempts of this try that were lost. */
  lost: number;
  /** How often this try was rescheduled. */
  reschedules: number;
  /** The next dispatch goes on with the same try (after a lost attempt or a reschedule): only its leg grows. */
  sameTry: boolean;
  /** An attempt was published and has not been reported ended (I3). */
  open: boolean;
  /** When an instance that is up for retry or reschedule may be scheduled; epoch milliseconds. */
  wakeAt: number | undefined;
  waitFor: WaitFor | undefined;
  /** What the try keeps of its deferrals over its legs. */
  deferral: Deferral | undefined;
  /** When the wait began; epoch milliseconds. */
  waitingSince: number | undefined;
  /** When the try's first leg started; epoch milliseconds. */
  tryStartedAt: number | undefined;
  /** How many remembered branch or short-circuit decisions skip this instance. */
  skipVotes: number;
  /** Tasks that this instance's own decision skips (indexes), until it is cleared. */
  skips: readonly number[] | undefined;
  /** Values kept because another task takes them as inputs. */
  output: XComValue | undefined;
  /** Tries that each rule of the retry policy has granted since the last clear, by its index. */
  ruleUses: ReadonlyMap<number, number> | undefined;
  /** What a rule of the retry policy gives the next tries. */
  overrides: AttemptOverrides | undefined;
  /** Its last success returned a value. */
  pushed: boolean;
  /** Of what is mapped over in its return value. */
  lengths: Readonly<Record<string, number>> | undefined;
  /** It was marked, not ended by an attempt or a rule: by a person, or by fail-fast. Neither is a reason for another try. */
  marked: 'byHand' | 'failFast' | undefined;
  /** A callback that the worker must run apart, because its attempt's child is gone. */
  callback: 'onFailure' | 'onRetry' | 'onSuccess' | 'onSkipped' | undefined;
  /** Not to be published until it is released. */
  onHold: boolean;
  /** Set by hand, in place of the task's effective weight. */
  priority: number | undefined;
  /** Set by hand, in place of the task's. */
  retries: number | undefined;
  /** Derived: where it is ready, or was published from. */
  lane: ReadyLane | undefined;
  /** Derived: in the ready queue. */
  ready: boolean;
  inHeap: boolean;
  /** Derived: in the list of instances to look at again. */
  dirty: boolean;
  /** It was mapped: its instances stand in its place. */
  gone: boolean;
}

/** A task in the run: its instances as a tree by map index, and what is counted once for all of them. */
export interface TaskRuntime {
  readonly plan: TaskPlan;
  root: MapNode | InstanceState;
  /** Derived: how many instances it has. */
  size: number;
  /** Derived: its own instances that are success or skipped. */
  passed: number;
}

/** Everything that the run's next decision depends on: folded from the events of its stream, in place. */
export interface DagRunState {
  readonly plan: RunPlan;
  started: RunStartedData | undefined;
  /** The version that its stream says it executes; the plan's, once a change of version has been written. */
  version: string | undefined;
  state: RunState;
  startedAt: number;
  endedAt: number | undefined;
  deadline: number | undefined;
  reason: string | undefined;
  /** From 1. */
  tryNumber: number;
  /** `runRetries` at first: the run may be tried again while its try is not over it. A clear grants `runRetries` more. */
  maxTries: number;
  readonly tasks: readonly TaskRuntime[];
  /** DAG callbacks that have been reported; a run is not closed before. */
  callbackReported: boolean;
  /** Derived counters. */
  unfinished: number;
  /** Scheduled, queued, running or restarting. */
  active: number;
  /** Published and not yet acknowledged by a gateway. */
  scheduled: number;
  /** Instances whose attempt is open, whatever their state. */
  open: number;
  /** Up for retry, up for reschedule, deferred. */
  waiting: number;
  failedLeaves: number;
  /** Instances with a callback still to be run apart. */
  callbacks: number;
  /** Unfinished instances that are held. */
  holds: number;
  /** A task that is no teardown has failed since the last clear (fail-fast looks at it). */
  failing: boolean;
  readonly dirty: Heap<InstanceState | Gate>;
  /** Places whose sources have come to another length, perhaps. */
  remap: { readonly scope: number; readonly path: MapIndex }[];
  /** Instances that need no child, held back by a pause; looked at again when it is over. */
  held: InstanceState[];
  readonly ready: ReadyQueue;
  readonly wake: WakeQueue;
  /** Instances that wait for the previous run. */
  readonly past: PastWaits;
  readonly blocks: Blocks;
  /** What the functions of `dependsOnPast` said, by task id; undefined before they were asked. */
  pastAnswers: ReadonlyMap<string, PastAnswer> | undefined;
}

/** The state before the first event: every instance without a status, every one to be looked at. */
export function initialRun(plan: RunPlan): DagRunState {
  const tasks = plan.tasks.map((task): TaskRuntime => {
    const root = newInstance(task, UNMAPPED, undefined);
    return { plan: task, root, size: 1, passed: 0 };
  });
  const state: DagRunState = {
    plan,
    started: undefined,
    version: undefined,
    state: 'queued',
    startedAt: 0,
    endedAt: undefined,
    deadline: undefined,
    reason: undefined,
    tryNumber: 1,
    maxTries: plan.definition.runRetries ?? 0,
    tasks,
    callbackReported: false,
    unfinished: tasks.length,
    active: 0,
    scheduled: 0,
    open: 0,
    waiting: 0,
    failedLeaves: 0,
    callbacks: 0,
    holds: 0,
    failing: false,
    dirty: new Heap<InstanceState | Gate>(isHigher),
    remap: [],
    held: [],
    ready: new ReadyQueue(),
    wake: new WakeQueue(),
    past: new PastWaits(),
    blocks: new Blocks(),
    pastAnswers: undefined,
  };
  for (const { plan: task, root } of tasks) {
    if (isNode(root)) continue;
    recount(tasks, root.gate);
    if (task.upstream.length === 0 || task.levels.length > 0 || canFireEarly(task)) look(state, root);
  }
  return state;
}

/**
 * A rule is checked when everything above has settled: what a decision comes to is the same in whatever order its instances
 * were put on the list, also after a restart in the middle.
 */
const isHigher = (a: InstanceState | Gate, b: InstanceState | Gate): boolean => a.task.rank < b.task.rank;

/** A task with upstreams is looked at when one of them changes; `always` waits for none. */
function canFireEarly(task: TaskPlan): boolean {
  return task.def.triggerRule === 'always';
}

/** An instance without a status. `gate`: that of the instances around it; default one of its own, not counted yet. */
export function newInstance(
  task: TaskPlan,
  mapIndex: MapIndex,
  parent: MapNode | undefined,
  gate?: Gate,
): InstanceState {
  const inst: Omit<InstanceState, 'gate'> & { gate: Gate | undefined } = {
    task,
    mapIndex,
    parent,
    gate,
    state: 'none',
    tryNumber: 0,
    maxTries: task.def.retries,
    leg: 0,
    lost: 0,
    reschedules: 0,
    sameTry: false,
    open: false,
    wakeAt: undefined,
    waitFor: undefined,
    deferral: undefined,
    waitingSince: undefined,
    tryStartedAt: undefined,
    skipVotes: 0,
    skips: undefined,
    output: undefined,
    ruleUses: undefined,
    overrides: undefined,
    marked: undefined,
    pushed: false,
    lengths: undefined,
    callback: undefined,
    onHold: false,
    priority: undefined,
    retries: undefined,
    lane: undefined,
    ready: false,
    inHeap: false,
    dirty: false,
    gone: false,
  };
  inst.gate ??= newGate(task, inst as InstanceState);
  return inst as InstanceState;
}

export function isSchedulable(state: TaskState): boolean {
  return state === 'none' || state === 'up_for_retry' || state === 'up_for_reschedule';
}

/** Puts an instance on the list of those whose rules are to be checked before the decision ends. */
export function look(state: DagRunState, inst: InstanceState): void {
  if (inst.dirty || !isSchedulable(inst.state)) return;
  inst.dirty = true;
  state.dirty.push(inst);
}

/** The upstream of the gate's instances has changed: they are looked at if that makes a difference. */
export function lookGate(state: DagRunState, gate: Gate): void {
  if (!isNode(gate.node)) {
    look(state, gate.node);
    return;
  }
  if (gate.dirty) return;
  gate.dirty = true;
  state.dirty.push(gate);
}

/** The task's instances, in the order of their map indexes. */
export function leavesOf(task: TaskRuntime): Iterable<InstanceState> {
  return isNode(task.root) ? leavesUnder(task.root) : [task.root];
}

/** The task stands for its instances that are not mapped yet. */
export const isPlaceholder = (inst: InstanceState): boolean => inst.mapIndex.length < inst.task.levels.length;

/** The instance with this task id and map index; undefined when the run has none. */
export function findInstance(state: DagRunState, taskId: string, mapIndex: MapIndex): InstanceState | undefined {
  const index = state.plan.indexOf.get(taskId);
  if (index === undefined) return undefined;
  const at = placeAt(state.tasks[index]!, mapIndex);
  return at === undefined || isNode(at) || at.mapIndex.length !== mapIndex.length ? undefined : at;
}
