import { taskIds, type AttemptOutcome, type RunType, type SkipDecision, type TaskState } from '@rondo/domain';
import { byPart, fields, holding, Inexpressible, list, type Case, type Fields, type Finding } from '../case.ts';
import { readDag } from '../dag.ts';
import { Play, type PlayOptions } from '../play.ts';
import { instant, interval, stateName } from '../values.ts';
import { inOrderOf } from './dagrun-state.ts';
import { readTimetable } from './timetable.ts';

const DECIDING = new Set(['branch', 'short_circuit', 'latest_only']);

export function branchSkip({ input, expected }: Case): Finding {
  const dag = readDag(input['dag']);
  const decider = dag.tasks.find((task) => DECIDING.has(String(task['kind'])))?.['id'];
  if (typeof decider !== 'string') throw new Inexpressible('no task of the case decides');
  const play = new Play(dag, options(input));
  carry(play, input, decider);
  const after = new Map(dag.graph.nodes.map((node) => [node.taskId, justDecided(play, node.taskId)]));
  const skips = taskIds(dag.graph, play.instance(decider).skips ?? []);
  carry(play, input);
  for (const step of list(input['then'] ?? [], 'then')) {
    if (step === 'schedule') carry(play, input);
    else play.clear(list(fields(step, 'step')['clear'], 'clear').map(String));
  }
  return byPart(expected, {
    states_after_branch_task: (wanted) => pick(wanted, (id) => stateName(after.get(id)!)),
    final_states: (wanted) => pick(wanted, (id) => stateName(play.instance(id).state)),
    skipped_by_short_circuit: (wanted) => inOrderOf(wanted, skips),
    then_runs: (wanted) => list(wanted, 'then_runs').filter((id) => play.instance(String(id)).state === 'success'),
    does_not_run: (wanted) =>
      list(wanted, 'does_not_run').filter((id) => play.instance(String(id)).state !== 'success'),
    error_contains: (wanted) => holding(errors(play), wanted),
    error: (wanted) => holding(errors(play), wanted),
  });
}

function pick(wanted: unknown, take: (id: string) => unknown): unknown {
  return Object.fromEntries(Object.keys(fields(wanted, 'states')).map((id) => [id, take(id)]));
}

/** The state right after the decision: what it skips is skipped, and nothing else has moved. */
function justDecided(play: Play, id: string): TaskState {
  const { state, skipVotes } = play.instance(id);
  if (state === 'scheduled') return 'none';
  return state === 'none' && skipVotes > 0 ? 'skipped' : state;
}

function errors({ events }: Play): string {
  return events.flatMap((event) => (event.type === 'TaskFailed' ? [event.data.error.message] : [])).join('; ');
}

/** Every attempt succeeds, and the deciding tasks decide as the case says; up to the end of one task, or of the run. */
function carry(play: Play, input: Fields, until?: string): void {
  play.admit();
  play.decide();
  for (let open = play.scheduled(); open.length > 0; open = play.scheduled()) {
    for (const id of open) {
      play.finish(id, outcomeOf(play, input, id));
      if (id === until) return;
    }
    play.decide();
  }
}

function outcomeOf({ dag }: Play, input: Fields, id: string): AttemptOutcome {
  const skip = decision(dag.tasks[dag.graph.indexOf.get(id)!]!, input, id);
  return skip === undefined ? { kind: 'success' } : { kind: 'success', skip };
}

function decision(task: Fields, input: Fields, id: string): SkipDecision | undefined {
  if (task['kind'] === 'branch') return { kind: 'branch', follow: branchResult(input, id) };
  if (task['kind'] !== 'short_circuit' || isTruthy(input['condition'])) return undefined;
  return { kind: 'shortCircuit', ignoreDownstreamTriggerRules: input['ignore_downstream_trigger_rules'] !== false };
}

/** What the branch returned comes from user code: the decider must take whatever it is. */
function branchResult(input: Fields, id: string): string[] {
  return fields(input['branch_result'], 'branch_result')[id] as string[];
}

/** What Python takes for true. */
function isTruthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}

function options(input: Fields): PlayOptions {
  if (input['run'] === undefined) return {};
  const run = fields(input['run'], 'run');
  const own = interval(run['data_interval'], 'run.data_interval');
  return {
    timetable: latestTimetable(input),
    runType: String(run['type'] ?? run['run_type'] ?? 'scheduled') as RunType,
    dataInterval: own,
    now: input['now'] === undefined ? own[1] : instant(input['now'], 'now'),
  };
}

function latestTimetable(input: Fields): ReturnType<typeof readTimetable> {
  if (input['timetable'] !== undefined) return readTimetable(input['timetable']);
  if (typeof input['schedule_s'] === 'number') return { kind: 'delta_interval', deltaMs: input['schedule_s'] * 1_000 };
  if (typeof input['schedule'] === 'string')
    return readTimetable({ kind: 'cron_interval', expression: input['schedule'] });
  return { kind: 'none' };
}
