import {
  evaluateUpstream,
  holdSkipForPast,
  type Upstream,
  type UpstreamCounts,
  type Verdict as UpstreamVerdict,
} from '../trigger-rule/index.ts';
import { isLatest } from '../schedule/index.ts';
import { rangesOf, type InstanceRange } from '../task-instance/index.ts';
import type { PastReliance } from '../past/index.ts';
import { reviewBlocks } from './block-review.ts';
import { isGateShut, judgeByBlocks, seenThroughBlocks } from './block-view.ts';
import { pastOfTask, type Decision } from './decision.ts';
import { DEFAULT_MAX_MAP_LENGTH, lengthOf, pointOf, sourceVerdict, type MapPoint } from './lengths.ts';
import { emptied, isMappedOtherwise, mappingOf } from './mapping.ts';
import { retryRun, type RunFailure } from './run-retry.ts';
import { keyOf } from './report.ts';
import { isSchedulable, leavesOf, look, type DagRunState, type InstanceState } from './state.ts';
import { transition } from './transitions.ts';
import { wakeWait } from './waits.ts';
import { leavesUnder, type Gate } from './tree.ts';

/**
 * Carries the run as far as it can go now: states that rules write, attempts that may be published, the run's end. It
 * depends on the state alone, so that after a restart it completes whatever a decision did not get to.
 */
export function advance(d: Decision): void {
  const { run, now } = d;
  if (run.started !== undefined && run.version !== run.plan.version)
    d.emit({ type: 'RunVersionChanged', data: { at: now, version: run.plan.version } });
  if (run.started === undefined || run.state !== 'running') return;
  if (run.deadline !== undefined && now >= run.deadline) {
    if (!retryRun(d, 'timed_out')) {
      timeOut(d);
      return;
    }
  }
  for (let inst = run.wake.popDue(now); inst !== undefined; inst = run.wake.popDue(now)) {
    wakeWait(d, inst);
    look(run, inst);
  }
  if (!d.context.paused) for (const inst of run.held.splice(0)) look(run, inst);
  settle(d);
  if (run.plan.definition.failFast && run.failing) failFast(d);
  if (!d.context.paused) publish(d);
  // A run that is retried may be over once the rules have been looked at again.
  while (end(d)) {
    settle(d);
    if (!d.context.paused) publish(d);
  }
}

/** When the run wants to be looked at again though nothing happens; epoch milliseconds. */
export function nextWake(d: Pick<Decision, 'run'>): number | undefined {
  const { run } = d;
  if (run.state !== 'running') return undefined;
  const wake = run.wake.next();
  if (run.deadline === undefined) return wake;
  return wake === undefined ? run.deadline : Math.min(wake, run.deadline);
}

/** Many instances that a rule moves in one pass become one event for each reason (I7). */
class Bulk {
  private readonly ranges = new Map<string, InstanceRange[]>();

  add(type: 'TaskSkipped' | 'TaskUpstreamFailed' | 'TaskRemoved', reason: string, inst: InstanceState): void {
    const key = `${type} ${reason}`;
    const list = this.ranges.get(key);
    const one = { taskId: inst.task.def.taskId, mapIndex: inst.mapIndex };
    if (list === undefined) this.ranges.set(key, [one]);
    else list.push(one);
  }

  /** Writes the state where the rule that says so has nothing more to look at. */
  write(run: DagRunState, inst: InstanceState, state: keyof typeof WRITES, reason: string): void {
    this.add(WRITES[state], reason, inst);
    transition(run, inst, state);
  }

  flush(d: Decision): void {
    for (const [key, instances] of this.ranges) {
      const at = key.indexOf(' ');
      const type = key.slice(0, at) as 'TaskSkipped' | 'TaskUpstreamFailed' | 'TaskRemoved';
      d.record({ type, data: { at: d.now, instances: rangesOf(instances), reason: key.slice(at + 1) } });
    }
    this.ranges.clear();
  }
}

const WRITES = { skipped: 'TaskSkipped', upstream_failed: 'TaskUpstreamFailed', removed: 'TaskRemoved' } as const;

/** Looks at every instance on the list until no rule writes a state any more; what may run is in the ready queue then. */
function settle(d: Decision): void {
  const { run } = d;
  const bulk = new Bulk();
  // The list grows while it is worked: a state that is written makes the instances below it be looked at.
  for (;;) {
    if (run.remap.length > 0) remap(d, bulk);
    if (run.dirty.size === 0 || run.blocks.touched.size > 0) {
      bulk.flush(d);
      reviewBlocks(d);
    }
    const item = run.dirty.pop();
    if (item === undefined && run.remap.length > 0) continue;
    if (item === undefined) break;
    item.dirty = false;
    if ('node' in item) passOn(run, item);
    else if (!item.gone && isSchedulable(item.state)) settleOne(d, item, bulk);
  }
  bulk.flush(d);
}

function settleOne(d: Decision, inst: InstanceState, bulk: Bulk): void {
  const { run } = d;
  const point = pointOf(run, inst);
  if (point !== undefined && mapNow(d, inst, point, bulk)) return;
  const verdict = judge(d, inst);
  if (verdict === 'wait') run.ready.drop(inst);
  else if (verdict === 'run') {
    if (inst.task.def.runs === 'child') run.ready.push(inst);
    else if (d.context.paused) run.held.push(inst);
    else decideInline(d, inst, bulk);
  } else bulk.write(run, inst, verdict.state, verdict.reason);
}

/** Instances with the same upstream are looked at when its verdict changes, not whenever one of it moves. */
function passOn(run: DagRunState, gate: Gate): void {
  const verdict = evaluateUpstream(upstreamOfGate(gate, -1));
  // What was removed counts by the map index of who looks (§2), and what blocks hide is not in the counters.
  const isPlain = gate.task.blocksBefore.length === 0 && gate.task.standsFor.length === 0;
  if (!isPlain && isGateShut(run, gate)) return;
  const isCommon = isPlain && gate.counts.removed === 0 && gate.setups.removed === 0;
  if (isCommon && verdict === gate.verdict) return;
  gate.verdict = isCommon ? verdict : undefined;
  for (const inst of leavesUnder(gate.node)) look(run, inst);
}

/** Maps the scope that an instance waits for, if it is known how often. True when that was decided. */
function mapNow(d: Decision, inst: InstanceState, { scope, path }: MapPoint, bulk: Bulk): boolean {
  const length = lengthOf(d.run, scope, path);
  if (length === undefined) return false;
  bulk.flush(d);
  const limit = d.context.maxMapLength ?? DEFAULT_MAX_MAP_LENGTH;
  const mark = (state: 'skipped' | 'failed', reason: string): void =>
    d.emit({ type: 'TaskMarked', data: { at: d.now, instances: rangesFor([inst]), state, reason } });
  if (length > limit) mark('failed', `mapped ${length} times; allowed are ${limit} (maxMapLength)`);
  else if (length === 0) bulk.write(d.run, inst, 'skipped', 'mapped_over_nothing');
  else d.emit({ type: 'TaskMapped', data: { at: d.now, ...mappingOf(d.run, scope, path, length) } });
  return true;
}

/** Sources have succeeded again: scopes that were mapped by them get the length of now. */
function remap(d: Decision, bulk: Bulk): void {
  const { run } = d;
  for (const { scope: index, path } of run.remap.splice(0)) {
    const scope = run.plan.scopes[index]!;
    const length = lengthOf(run, scope, path);
    if (length === undefined || !isMappedOtherwise(run, scope, path, length)) continue;
    bulk.flush(d);
    const again = emptied(run, scope, path).filter((inst) => inst.state === 'skipped');
    if (again.length > 0) d.emit({ type: 'TaskCleared', data: { at: d.now, instances: rangesFor(again) } });
    d.emit({ type: 'TaskMapped', data: { at: d.now, ...mappingOf(run, scope, path, length) } });
  }
}

type Verdict = 'wait' | 'run' | { readonly state: 'skipped' | 'upstream_failed' | 'removed'; readonly reason: string };

const BRANCH_SKIP: UpstreamVerdict = { state: 'skipped', met: false };

function judge(d: Decision, inst: InstanceState): Verdict {
  const { def } = inst.task;
  d.run.past.drop(inst);
  const held = judgeByBlocks(d.run, inst);
  if (held === 'skip') return { state: 'skipped', reason: 'fallback' };
  if (held === 'wait') return 'wait';
  const upstream = seenThroughBlocks(d.run, inst, upstreamOf(inst));
  const verdict = inst.skipVotes > 0 ? BRANCH_SKIP : evaluateUpstream(upstream);
  if (verdict.state !== null) {
    const past = def.waitForPastDependsBeforeSkipping === true ? pastOfTask(d.context, inst.task) : undefined;
    const skip = holdSkipForPast(verdict, past !== undefined, past?.allowsSkip ?? false);
    if (skip.state === null) return byPast(d, inst);
    return { state: skip.state, reason: inst.skipVotes > 0 ? 'branch' : `trigger_rule:${upstream.rule}` };
  }
  const point = pointOf(d.run, inst);
  if (point !== undefined) {
    const state = sourceVerdict(d.run, point);
    return state === undefined ? 'wait' : { state, reason: 'mapped_source' };
  }
  if (!verdict.met) return 'wait';
  if (inst.onHold) return 'wait';
  if (inst.wakeAt === undefined || inst.wakeAt <= d.now) return isHeldByPast(d, inst) ? byPast(d, inst) : 'run';
  d.run.wake.push(inst, inst.wakeAt);
  return 'wait';
}

/** A try that has begun goes on whatever becomes of the previous run. */
function isHeldByPast(d: Decision, inst: InstanceState): boolean {
  return inst.task.asksPast && !inst.sameTry && !pastOfTask(d.context, inst.task).met;
}

/** The past holds the instance back: for now, or for good. */
function byPast(d: Decision, inst: InstanceState): Verdict {
  const past = pastOfTask(d.context, inst.task);
  if (inst.task.def.pastFailure === 'skip' && !past.met && past.isFinal) return { state: 'skipped', reason: 'past' };
  d.run.past.add(inst);
  return 'wait';
}

/** The counters that an instance's rule looks at. */
export function upstreamOf({ gate, mapIndex }: InstanceState): Upstream {
  return upstreamOfGate(gate, mapIndex.at(-1) ?? -1);
}

function upstreamOfGate({ task, counts, setups }: Gate, mapIndex: number): Upstream {
  const { def } = task;
  return {
    rule: def.triggerRule,
    direct: withoutRemoved(counts),
    indirectSetups: def.teardown === true || setups.total === 0 ? undefined : withoutRemoved(setups),
    mapIndex,
  };
}

/**
 * What a shorter mapping took away is nothing to wait for. The reference removes mapped instances by how many of their upstream
 * succeeded then, and lets one that is not mapped wait for ever (§2); here each mapping says how many there are.
 */
function withoutRemoved(counts: UpstreamCounts): UpstreamCounts {
  if (counts.removed === 0 || counts.removed === counts.total) return counts;
  return { ...counts, total: counts.total - counts.removed, removed: 0 };
}

/** A task that needs no child: it succeeds where it is decided. Earlier writes of this pass come before it in the history. */
function decideInline(d: Decision, inst: InstanceState, bulk: Bulk): void {
  bulk.flush(d);
  const key = { ...keyOf(inst), tryNumber: inst.tryNumber + 1, leg: 1 };
  const latest = inst.task.def.runs !== 'latest_only' || isLatestRun(d);
  d.emit({
    type: 'TaskSucceeded',
    data: { ...key, at: d.now, ...(latest ? {} : { skip: { kind: 'branch' as const, follow: [] } }) },
  });
}

function isLatestRun(d: Decision): boolean {
  const { started, plan } = d.run;
  return started === undefined || isLatest(plan.definition.timetable, { ...started, now: d.now });
}

/** I5: of what may run a window is published, for each lane: pools, limits and workers are the gateway's. */
function publish(d: Decision): void {
  const { run } = d;
  const { window } = d.context;
  const held: InstanceState[] = [];
  for (const lane of run.ready.publishable(window))
    while (lane.ready > 0 && lane.scheduled < window) {
      const inst = run.ready.pop(lane);
      if (inst === undefined) break;
      const past = inst.task.asksPast ? pastOfTask(d.context, inst.task) : undefined;
      if (past === undefined || inst.sameTry) schedule(d, inst);
      else if (past.met) schedule(d, inst, past.on);
      else held.push(inst);
    }
  if (held.length === 0) return;
  // The previous run was cleared or marked while these waited for room.
  for (const inst of held) look(run, inst);
  settle(d);
  publish(d);
}

function schedule(d: Decision, inst: InstanceState, past?: PastReliance): void {
  const again = inst.sameTry;
  const tryNumber = again ? inst.tryNumber : inst.tryNumber + 1;
  const leg = again ? inst.leg + 1 : 1;
  d.emit({
    type: 'TaskScheduled',
    data: {
      taskId: inst.task.def.taskId,
      mapIndex: inst.mapIndex,
      tryNumber,
      leg,
      at: d.now,
      ...(past === undefined ? {} : { past }),
    },
  });
}

/** §1.4. A failed task that is no leaf does not fail the run. True when the run is tried again instead of failing. */
function end(d: Decision): boolean {
  const { run, now } = d;
  if (run.unfinished > 0) {
    const stuck =
      run.active === 0 &&
      run.waiting === 0 &&
      run.ready.isEmpty &&
      run.dirty.size === 0 &&
      run.past.size === 0 &&
      run.holds === 0 &&
      (run.open === 0 || run.blocks.open === 0) &&
      run.wake.next() === undefined &&
      !d.context.paused;
    return stuck && failRun(d, 'all_tasks_deadlocked');
  }
  // An attempt of a marked instance is still open: its group may be tried again when that has ended (I3).
  if (run.blocks.open > 0) return false;
  if (run.failedLeaves > run.blocks.stoodLeaves) return failRun(d, 'task_failure');
  d.emit({ type: 'RunSucceeded', data: { at: now, reason: 'all_tasks_done' } });
  return false;
}

function failRun(d: Decision, reason: RunFailure): boolean {
  if (retryRun(d, reason)) return true;
  d.emit({ type: 'RunFailed', data: { at: d.now, reason } });
  return false;
}

/** dagrunTimeout: what is unfinished is skipped, then the run has failed. */
function timeOut(d: Decision): void {
  const instances = d.run.tasks.flatMap((t) => Array.from(leavesOf(t)).filter((i) => !isDone(i)));
  if (instances.length > 0)
    d.emit({
      type: 'TaskMarked',
      data: { at: d.now, instances: rangesFor(instances), state: 'skipped', reason: 'dagrun_timeout' },
    });
  d.emit({ type: 'RunFailed', data: { at: d.now, reason: 'timed_out' } });
}

/** failFast: after a failure running work fails and waiting work is skipped; teardowns still run. */
function failFast(d: Decision): void {
  const rest = d.run.tasks
    .filter((t) => t.plan.def.teardown !== true)
    .flatMap((t) => Array.from(leavesOf(t)).filter((i) => !isDone(i)));
  const running = rest.filter((i) => i.state === 'running');
  const waiting = rest.filter((i) => i.state !== 'running');
  if (running.length > 0)
    d.emit({
      type: 'TaskMarked',
      data: { at: d.now, instances: rangesFor(running), state: 'failed', reason: 'fail_fast' },
    });
  if (waiting.length > 0)
    d.emit({
      type: 'TaskMarked',
      data: { at: d.now, instances: rangesFor(waiting), state: 'skipped', reason: 'fail_fast' },
    });
  if (rest.length > 0) settle(d);
}

export function isDone(inst: InstanceState): boolean {
  const { state } = inst;
  return (
    state === 'success' ||
    state === 'failed' ||
    state === 'skipped' ||
    state === 'upstream_failed' ||
    state === 'removed'
  );
}

export function rangesFor(instances: readonly InstanceState[]): readonly InstanceRange[] {
  return rangesOf(instances.map(({ task, mapIndex }) => ({ taskId: task.def.taskId, mapIndex })));
}
