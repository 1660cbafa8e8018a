import { err, ok, type Result } from '@rondo/kernel';
import type { BackfillRef } from '../backfill/events.ts';
import { clearSelection, closure, groupMembers, matchesGlob, type ClearScope, type TaskGraph } from '../graph/index.ts';
import type { InstanceRange } from '../task-instance/index.ts';
import { isDone, rangesFor } from './advance.ts';
import { withFallbacks } from './block-fold.ts';
import type { Decision } from './decision.ts';
import { sharedLevels } from './map-plan.ts';
import { leavesOf, type DagRunState, type InstanceState } from './state.ts';
import { leavesAt } from './tree.ts';

/** A choice of task instances of a run. Neither `taskIds` nor `taskPattern`: all tasks. An id may be that of a group. */
export interface Selection {
  readonly taskIds?: readonly string[];
  /** Task and group ids as well that fit: `*` stands for any characters, `?` for one. */
  readonly taskPattern?: string;
  /** `''`, `3`, `2.5`; only with one task id. `2` of a task with two levels: all instances under it. */
  readonly mapIndex?: string;
  readonly includeUpstream?: boolean;
  readonly includeDownstream?: boolean;
  readonly onlyFailed?: boolean;
  readonly onlyRunning?: boolean;
}

/** The instances that clearing a selection clears, setups and teardowns with them (§8.3). An unknown task id is refused. */
export function select(run: DagRunState, selection: Selection): Result<InstanceState[]> {
  const chosen = choose(run, selection, clearSelection);
  if (!chosen.ok || run.plan.blocks.length === 0) return chosen;
  return ok(withFallbacks(run, chosen.value));
}

type Spread = (graph: TaskGraph, matched: readonly number[], scope: ClearScope) => Iterable<number>;

/** The named tasks and what lies in the named directions, nothing else: a mark of work leaves its setups alone. */
const markSelection: Spread = (graph, matched, { upstream, downstream }) =>
  new Set([
    ...matched,
    ...(upstream === true ? closure(graph, matched, 'upstream') : []),
    ...(downstream === true ? closure(graph, matched, 'downstream') : []),
  ]);

function choose(run: DagRunState, selection: Selection, spread: Spread): Result<InstanceState[]> {
  const { plan } = run;
  const named = namedTasks(run, selection);
  if (!named.ok) return named;
  const tasks =
    named.value === undefined
      ? plan.tasks.map((t) => t.index)
      : spread(plan.graph, named.value, {
          upstream: selection.includeUpstream ?? false,
          downstream: selection.includeDownstream ?? false,
        });
  // What was removed is no instance of the run any more.
  let chosen = [...tasks].flatMap((index) => instancesOf(run, index, selection)).filter((i) => i.state !== 'removed');
  if (selection.onlyFailed === true)
    chosen = chosen.filter((i) => i.state === 'failed' || i.state === 'upstream_failed');
  if (selection.onlyRunning === true) chosen = chosen.filter((i) => i.state === 'running');
  return ok(chosen);
}

/** The tasks that a selection names; undefined: it names none. An id that is neither a task nor a group is refused. */
function namedTasks({ plan }: DagRunState, { taskIds, taskPattern }: Selection): Result<number[] | undefined> {
  if (taskIds === undefined && taskPattern === undefined) return ok(undefined);
  const found = new Set<number>();
  const unknown: string[] = [];
  for (const id of taskIds ?? []) {
    const index = plan.indexOf.get(id);
    if (index !== undefined) found.add(index);
    else if (plan.graph.groups.has(id)) for (const member of groupMembers(plan.graph, id)) found.add(member);
    else unknown.push(id);
  }
  if (unknown.length > 0)
    return err(
      `DAG '${plan.definition.dagId}' has no task ${unknown.map((id) => `'${id}'`).join(', ')}; its tasks are ${list([...plan.indexOf.keys()])}`,
    );
  if (taskPattern !== undefined) {
    for (const [id, index] of plan.indexOf) if (matchesGlob(taskPattern, id)) found.add(index);
    for (const id of plan.graph.groups.keys())
      if (matchesGlob(taskPattern, id)) for (const member of groupMembers(plan.graph, id)) found.add(member);
  }
  return ok([...found]);
}

/** Of the named task those under the map index; of others those that have part in the same instances of mapped groups. */
function instancesOf(run: DagRunState, index: number, { taskIds = [], mapIndex = '' }: Selection): InstanceState[] {
  const task = run.tasks[index]!;
  const named = mapIndex === '' ? undefined : run.plan.indexOf.get(taskIds[0] ?? '');
  if (named === undefined) return [...leavesOf(task)];
  const path = mapIndex.split('.').map(Number);
  const shared = sharedLevels(run.plan.tasks[named]!.levels, task.plan.levels);
  if (named !== index) return [...leavesAt(task, path.slice(0, shared))];
  return [...leavesAt(task, path)].filter((inst) => inst.mapIndex.length >= path.length);
}

function list(ids: readonly string[]): string {
  return ids.length <= 20 ? ids.join(', ') : `${ids.slice(0, 20).join(', ')} and ${ids.length - 20} more`;
}

/** The named tasks and what lies in the named directions. */
export function selectNamed(run: DagRunState, selection: Selection): Result<InstanceState[]> {
  return choose(run, selection, markSelection);
}

export interface ClearOptions {
  /** False: a finished run stays as it is; what was cleared waits until the run is cleared or marked. Default true. */
  readonly reset?: boolean;
  /** The run goes on although nothing is cleared: it has tasks that it had not. Default false. */
  readonly isExtended?: boolean;
}

/** Clears what has a status; a finished run is queued again and waits for its DAG to admit it (I4). */
export function decideClear(
  d: Decision,
  selection: Selection,
  { reset = true, isExtended = false }: ClearOptions = {},
): Result<readonly InstanceRange[]> {
  const chosen = select(d.run, selection);
  if (!chosen.ok) return chosen;
  const waiting = chosen.value.filter((i) => i.state !== 'none' && i.state !== 'restarting');
  if (waiting.length === 0 && !isExtended) return ok([]);
  const instances = rangesFor(waiting);
  if (waiting.length > 0) d.emit({ type: 'TaskCleared', data: { at: d.now, instances } });
  if (reset && (d.run.state === 'success' || d.run.state === 'failed'))
    d.emit({ type: 'RunReopened', data: { at: d.now } });
  return ok(instances);
}

/**
 * A backfill runs an ended run again: its tasks, or those of them that are named, are cleared. Nothing where the run's history
 * says so already (I4).
 */
export function decideBackfill(d: Decision, backfill: BackfillRef, only: readonly string[] | undefined): void {
  const known = d.run.started?.backfill;
  if (known?.backfillId === backfill.backfillId && known.ordinal === backfill.ordinal) return;
  const taskIds = only?.filter((id) => d.run.plan.indexOf.has(id));
  const chosen = choose(d.run, taskIds === undefined ? {} : { taskIds }, markSelection);
  const instances = chosen.ok ? chosen.value.filter((i) => i.state !== 'none' && i.state !== 'restarting') : [];
  if (instances.length > 0) d.emit({ type: 'TaskCleared', data: { at: d.now, instances: rangesFor(instances) } });
  d.emit({ type: 'RunReopened', data: { at: d.now, backfill } });
}

/** Sets a state by hand. An attempt that is open is cancelled; its report will change nothing. */
export function decideMark(
  d: Decision,
  selection: Selection,
  state: 'success' | 'failed' | 'skipped',
): Result<readonly InstanceRange[]> {
  const chosen = selectNamed(d.run, selection);
  if (!chosen.ok) return chosen;
  const instances = rangesFor(chosen.value.filter((i) => i.state !== state));
  if (instances.length > 0) d.emit({ type: 'TaskMarked', data: { at: d.now, instances, state } });
  return ok(instances);
}

/** Ends a run by hand. As a success everything unfinished succeeds; as a failure what runs fails and the rest is skipped. */
export function decideMarkRun(
  d: Decision,
  state: 'success' | 'failed',
  reason: 'marked' | 'aborted',
): Result<readonly InstanceRange[]> {
  const { run, now } = d;
  if (run.state === state) return err(`the run is ${state} already`);
  const rest = run.tasks.flatMap((t) => Array.from(leavesOf(t)).filter((i) => !isDone(i)));
  const groups =
    state === 'success'
      ? ([['success', rest]] as const)
      : ([
          ['failed', rest.filter((i) => i.open)],
          ['skipped', rest.filter((i) => !i.open)],
        ] as const);
  for (const [to, instances] of groups)
    if (instances.length > 0)
      d.emit({ type: 'TaskMarked', data: { at: now, instances: rangesFor(instances), state: to, reason } });
  d.emit({ type: state === 'success' ? 'RunSucceeded' : 'RunFailed', data: { at: now, reason } });
  return ok(rangesFor(rest));
}
