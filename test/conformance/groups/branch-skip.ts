import {
  branchTargets,
  evaluateUpstream,
  countStates,
  indirectSetups,
  isLatest,
  isTerminal,
  skipsOf,
  taskIds,
  type RunType,
  type SkipDecision,
  type TaskState,
} from '@rondo/domain';
import { byPart, fields, holding, Inexpressible, list, type Case, type Fields, type Finding } from '../case.ts';
import { indexOf, readDag, type CaseDag } from '../dag.ts';
import { instant, interval, stateName } from '../values.ts';
import { inOrderOf } from './dagrun-state.ts';
import { readTimetable } from './timetable.ts';

const DECIDING = new Set(['branch', 'short_circuit', 'latest_only']);

/** One run in which every task that may run succeeds, and the deciding tasks decide as the case says. */
interface Play {
  readonly dag: CaseDag;
  readonly states: TaskState[];
  readonly decisions: Map<number, SkipDecision>;
  readonly errors: string[];
  readonly decide: (index: number) => SkipDecision | { readonly error: string } | undefined;
}

export function branchSkip({ input, expected }: Case): Finding {
  const dag = readDag(input['dag']);
  const decider = dag.tasks.findIndex((task) => DECIDING.has(String(task['kind'])));
  if (decider < 0) throw new Inexpressible('no task of the case decides');
  const play: Play = {
    dag,
    states: dag.tasks.map(() => 'none'),
    decisions: new Map(),
    errors: [],
    decide: (index) => decisionOf(dag, input, index),
  };
  schedule(play, decider);
  const after = [...play.states];
  schedule(play);
  for (const step of list(input['then'] ?? [], 'then')) take(play, step);
  return byPart(expected, answers(play, decider, after));
}

function answers(
  play: Play,
  decider: number,
  after: readonly TaskState[],
): Record<string, (wanted: unknown) => unknown> {
  const { graph } = play.dag;
  const pick =
    (states: readonly TaskState[]) =>
    (wanted: unknown): unknown =>
      Object.fromEntries(
        Object.keys(fields(wanted, 'states')).map((id) => [id, stateName(states[indexOf(graph, id)]!)]),
      );
  const those =
    (holds: (state: TaskState) => boolean) =>
    (wanted: unknown): unknown =>
      list(wanted, 'tasks').filter((id) => holds(play.states[indexOf(graph, String(id))]!));
  return {
    states_after_branch_task: pick(after),
    final_states: pick(play.states),
    skipped_by_short_circuit: (wanted) =>
      inOrderOf(wanted, taskIds(graph, skipsOf(graph, decider, play.decisions.get(decider)!))),
    then_runs: those((state) => state === 'success'),
    does_not_run: those((state) => state !== 'success'),
    error_contains: (wanted) => holding(play.errors.join('; '), wanted),
    error: (wanted) => holding(play.errors.join('; '), wanted),
  };
}

/** Runs what may run, until nothing changes or, given a task, until that one has run. */
function schedule(play: Play, until?: number): void {
  const { graph } = play.dag;
  const setups = indirectSetups(graph);
  const statesOf = (index: number): readonly TaskState[] => [play.states[index]!];
  for (let changed = true; changed;) {
    changed = false;
    for (const index of graph.order) {
      if (play.states[index] !== 'none') continue;
      if (isSkippedByDecision(play, index)) play.states[index] = 'skipped';
      else {
        const verdict = evaluateUpstream({
          rule: graph.nodes[index]!.triggerRule ?? 'all_success',
          direct: countStates(graph, graph.upstream[index]!, statesOf),
          indirectSetups: setups[index]!.length === 0 ? undefined : countStates(graph, setups[index]!, statesOf),
        });
        if (verdict.state !== null) play.states[index] = verdict.state;
        else if (verdict.met) run(play, index);
      }
      changed ||= play.states[index] !== 'none';
      if (index === until && isTerminal(play.states[index]!)) return;
    }
  }
}

function isSkippedByDecision({ dag, decisions }: Play, index: number): boolean {
  return [...decisions].some(([decider, decision]) => skipsOf(dag.graph, decider, decision).includes(index));
}

function run(play: Play, index: number): void {
  const decision = play.decide(index);
  if (decision !== undefined && 'error' in decision) {
    play.errors.push(decision.error);
    play.states[index] = 'failed';
    return;
  }
  play.states[index] = 'success';
  if (decision === undefined) return;
  play.decisions.set(index, decision);
  for (const skipped of skipsOf(play.dag.graph, index, decision))
    if (play.states[skipped] === 'none') play.states[skipped] = 'skipped';
}

/** `{ clear: [ids] }` or `'schedule'`. A decision is forgotten with the task that made it. */
function take(play: Play, step: unknown): void {
  if (step === 'schedule') return schedule(play);
  for (const id of list(fields(step, 'step')['clear'], 'clear')) {
    const index = indexOf(play.dag.graph, String(id));
    play.states[index] = 'none';
    play.decisions.delete(index);
  }
}

function decisionOf({ graph, tasks }: CaseDag, input: Fields, index: number): ReturnType<Play['decide']> {
  switch (tasks[index]!['kind']) {
    case 'branch': {
      const results = fields(input['branch_result'], 'branch_result');
      const targets = branchTargets(graph, results[graph.nodes[index]!.taskId]);
      return targets.ok ? { kind: 'branch', follow: targets.value } : { error: targets.error };
    }
    case 'short_circuit':
      if (isTruthy(input['condition'])) return undefined;
      return { kind: 'shortCircuit', ignoreDownstreamTriggerRules: input['ignore_downstream_trigger_rules'] !== false };
    case 'latest_only':
      return isLatestCase(input) ? undefined : { kind: 'branch', follow: [] };
    default:
      return undefined;
  }
}

/** What Python takes for true. */
function isTruthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}

function isLatestCase(input: Fields): boolean {
  const run = fields(input['run'], 'run');
  const own = interval(run['data_interval'], 'run.data_interval');
  return isLatest(latestTimetable(input), {
    runType: String(run['type'] ?? run['run_type'] ?? 'scheduled') as RunType,
    dataInterval: own,
    runAfter: run['run_after'] === undefined ? own[1] : instant(run['run_after'], 'run.run_after'),
    now: input['now'] === undefined ? own[1] : instant(input['now'], 'now'),
  });
}

function latestTimetable(input: Fields): ReturnType<typeof readTimetable> {
  if (input['timetable'] !== undefined) return readTimetable(input['timetable']);
  if (typeof input['schedule_s'] === 'number') return { kind: 'delta_interval', deltaMs: input['schedule_s'] * 1_000 };
  if (typeof input['schedule'] === 'string')
    return readTimetable({ kind: 'cron_interval', expression: input['schedule'] });
  return { kind: 'none' };
}
