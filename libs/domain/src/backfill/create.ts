import { err, ok, type Json, type Result } from '@rondo/kernel';
import type { DagDecision, DagRefusal } from '../dag/decision.ts';
import type { DagDefinition } from '../dag/definition.ts';
import { backfillRefusal } from '../past/rule.ts';
import { customOf, isoInstant } from '../schedule/index.ts';
import { onlyTasks, resolveChoice, valuesLeftOut, type TaskChoice } from './choice.ts';
import { backfillDates, MAX_BACKFILL_DATES } from './dates.ts';
import type { BackfillCreatedData, PassReason, Reprocess } from './events.ts';
import { fateOf } from './take.ts';

export const DEFAULT_BACKFILL_RUNS = 10;

export interface CreateBackfill {
  /** Logical dates, both inclusive, epoch milliseconds. */
  readonly from: number;
  readonly to: number;
  /** The newest date first. Default false. */
  readonly reverse?: boolean;
  /** Default `none`. */
  readonly reprocess?: Reprocess;
  /** Its runs that may be active at once; the DAG's own limit is for the others. Default 10. */
  readonly maxActiveRuns?: number;
  readonly conf?: Json;
  /** Runs that are run again take the DAG's newest version rather than their own. Default false. */
  readonly runOnLatestVersion?: boolean;
  /** Its runs consist of these tasks only. Default: all tasks. */
  readonly only?: TaskChoice;
  /** The Idempotency-Key: a repeat with the same key is the same backfill. */
  readonly key?: string;
}

/** Asks for a backfill. Its runs are made afterwards, batch by batch. `definition`: the DAG's newest version. */
export function createBackfill(
  d: DagDecision,
  command: CreateBackfill,
  definition: DagDefinition,
): Result<{ readonly backfillId: number; readonly existed: boolean; readonly dates: number }, DagRefusal> {
  const { backfills, dagId } = d.dag;
  const { key } = command;
  const known = key === undefined ? undefined : [...backfills.all.values()].find(({ spec }) => spec.key === key);
  if (known !== undefined) return ok({ backfillId: known.spec.backfillId, existed: true, dates: known.spec.dates });
  if (backfills.current !== undefined)
    return err({
      code: 'conflict',
      message: `DAG '${dagId}' has a backfill that is not over: ${backfills.current.spec.backfillId} (${backfills.current.stand}); one at a time: wait for its end, or cancel it`,
    });
  const spec = specOf(d, command, definition);
  if (!spec.ok) return spec;
  d.emit({ type: 'BackfillCreated', data: spec.value });
  return ok({ backfillId: spec.value.backfillId, existed: false, dates: spec.value.dates });
}

export interface PlannedDate {
  readonly ordinal: number;
  readonly logicalDate: number;
  readonly dataInterval: readonly [number, number];
  /** Of a partitioned timetable: the run has it in place of a date, which is that of its tick. */
  readonly partitionKey?: string;
  /** `clear`: the run that is there is run again. */
  readonly action: 'create' | 'clear' | 'pass';
  readonly runId?: string;
  readonly reason?: PassReason;
}

/** What a backfill would do with each of its dates, as the runs are now. */
export function planBackfill(
  d: DagDecision,
  command: CreateBackfill,
  definition: DagDefinition,
): Result<readonly PlannedDate[], DagRefusal> {
  const spec = specOf(d, command, definition);
  if (!spec.ok) return spec;
  return ok(
    backfillDates(spec.value).map((date, at): PlannedDate => {
      const { logicalDate, dataInterval, partitionKey } = date;
      const fate = fateOf(d.dag, spec.value, date);
      return {
        ordinal: at + 1,
        logicalDate,
        dataInterval,
        ...(partitionKey === undefined ? {} : { partitionKey }),
        ...fate,
      };
    }),
  );
}

function specOf(
  d: DagDecision,
  command: CreateBackfill,
  definition: DagDefinition,
): Result<BackfillCreatedData, DagRefusal> {
  const { dag, now } = d;
  const { from, to, reverse = false, reprocess = 'none', conf, key } = command;
  const refusal = refuse(d, command);
  if (refusal !== undefined) return err(refusal);
  const choice = command.only === undefined ? ok(undefined) : choose(definition, command.only, reprocess);
  if (!choice.ok) return err(invalid(choice.error));
  const only = choice.value;
  const past = refusePast(only === undefined ? definition : onlyTasks(definition, only), reverse, reprocess);
  if (past !== undefined) return err(invalid(past));
  const { timetable } = dag.scheduling!;
  const spec: Omit<BackfillCreatedData, 'dates'> = {
    backfillId: dag.backfills.all.size + 1,
    ...{ at: now, from, to, timetable, reprocess },
    maxActiveRuns: command.maxActiveRuns ?? DEFAULT_BACKFILL_RUNS,
    ...(reverse ? { reverse } : {}),
    ...(conf === undefined ? {} : { conf }),
    ...(command.runOnLatestVersion === true ? { runOnLatestVersion: true as const } : {}),
    ...(only === undefined ? {} : { only }),
    ...(only !== undefined && valuesLeftOut(definition, only).length > 0 ? { needsUpstream: true as const } : {}),
    ...(key === undefined ? {} : { key }),
  };
  const dates = backfillDates(spec).length;
  if (dates === 0)
    return err(invalid(`the timetable of DAG '${dag.dagId}' has no date in ${rangeText(from, to)} that is over`));
  if (dates > MAX_BACKFILL_DATES)
    return err(
      invalid(
        `the timetable of DAG '${dag.dagId}' has more than ${MAX_BACKFILL_DATES} dates in ${rangeText(from, to)}: at most ${MAX_BACKFILL_DATES} in one backfill`,
      ),
    );
  return ok({ ...spec, dates });
}

const NO_DATES: ReadonlySet<string> = new Set(['none', 'asset']);
const rangeText = (from: number, to: number): string => `${isoInstant(from)} to ${isoInstant(to)}`;
const invalid = (message: string): DagRefusal => ({ code: 'invalid', message });

function refuse(d: DagDecision, command: CreateBackfill): DagRefusal | undefined {
  const { dag, now } = d;
  const { from, to, maxActiveRuns = DEFAULT_BACKFILL_RUNS } = command;
  if (dag.retired)
    return {
      code: 'retired',
      message: `DAG '${dag.dagId}' is retired: its file no longer defines it, so it takes no backfill`,
    };
  if (dag.scheduling === undefined || NO_DATES.has(dag.scheduling.timetable.kind))
    return invalid(`DAG '${dag.dagId}' has no schedule: a backfill runs the dates of a schedule`);
  if (customOf(dag.scheduling.timetable) !== undefined)
    return invalid(
      `the timetable of DAG '${dag.dagId}' is code of its own, which tells what is to come: a backfill takes the kinds of timetable that are built in`,
    );
  if (from > to) return invalid(`from ${isoInstant(from)} is after to ${isoInstant(to)}: from is the earlier date`);
  if (from >= now && to >= now)
    return invalid(`${rangeText(from, to)} is in the future: a backfill runs dates that are over`);
  if (command.conf !== undefined && d.seals)
    return invalid(
      `the runs of DAG '${dag.dagId}' are sealed: a backfill takes no conf, which would stand in the history of the DAG for ever`,
    );
  if (!Number.isInteger(maxActiveRuns) || maxActiveRuns < 1)
    return invalid(`maxActiveRuns ${maxActiveRuns} is not allowed: a whole number from 1`);
  return undefined;
}

function refusePast(definition: DagDefinition, reverse: boolean, reprocess: Reprocess): string | undefined {
  const dependent = definition.tasks.find((task) => task.dependsOnPast || task.waitForDownstream);
  const against = backfillRefusal({ dependsOnPast: dependent !== undefined, reverse, reprocess });
  if (against === undefined) return undefined;
  const why = `task '${dependent!.taskId}' of DAG '${definition.dagId}' depends on its past`;
  return against === 'reverse'
    ? `${why}: its dates cannot be run in reverse`
    : `${why}: reprocess is 'failed' or 'completed', not 'none', which would leave failed dates in its way`;
}

function choose(definition: DagDefinition, choice: TaskChoice, reprocess: Reprocess): Result<readonly string[]> {
  const only = resolveChoice(definition, choice);
  if (!only.ok || reprocess !== 'none') return only;
  const missing = valuesLeftOut(definition, only.value);
  if (missing.length === 0) return only;
  const names = missing.map((id) => `'${id}'`).join(', ');
  return err(
    `the chosen tasks take values of ${names}, which would not run: choose upstream tasks too, or reprocess dates whose runs have those values`,
  );
}
