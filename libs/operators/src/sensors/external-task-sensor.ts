import { parseDuration, type Duration } from '@rondo/kernel';
import { Operator, templatable, WaitSensor, type TaskContext, type Wait } from '@rondo/sdk';
import * as z from 'zod';

const STATES = [
  'success',
  'failed',
  'skipped',
  'upstream_failed',
  'removed',
  'running',
  'queued',
  'scheduled',
  'up_for_retry',
  'deferred',
] as const;
const RUN_STATES = ['queued', 'running', 'success', 'failed'] as const;
export type ExternalState = (typeof STATES)[number];

export interface ExternalTaskSensorArgs {
  /** A template. */
  readonly externalDagId: string;
  /** Every instance of these tasks. Templates. */
  readonly externalTaskIds?: string | readonly string[];
  /** Every task of this group. A template. */
  readonly externalTaskGroupId?: string;
  /** The run with this id. Default: the one with the logical date of this task's run, less `executionDelta`. A template. */
  readonly externalRunId?: string;
  /** How much earlier the other run's logical date is. Default: none. */
  readonly executionDelta?: Duration;
  /** The other run's logical date out of this one's. Instead of `executionDelta`. */
  readonly logicalDateFn?: (logicalDate: Date, ctx: TaskContext) => Date;
  /** States that end the wait. Default `['success']`. Without tasks and group: states of the run. */
  readonly allowedStates?: readonly ExternalState[];
  /** States that skip this task. Default none. */
  readonly skippedStates?: readonly ExternalState[];
  /** States that fail this task. Default none: it waits. */
  readonly failedStates?: readonly ExternalState[];
  /** True: fails at once when DAG, task or group does not exist. Default false. */
  readonly checkExistence?: boolean;
}

const states = z
  .array(z.enum(STATES))
  .describe(`a list of ${STATES.join(', ')}`)
  .optional();
const text = (what: string) => templatable(z.string().min(1).describe(what));

/** Waits for a run of another DAG, or for tasks of it. It is told of their ends, and never asks. */
export class ExternalTaskSensor extends WaitSensor<ExternalTaskSensorArgs, void> {
  static override readonly templateFields = [
    'externalDagId',
    'externalTaskIds',
    'externalTaskGroupId',
    'externalRunId',
  ];
  static override readonly schema = z
    .strictObject({
      externalDagId: text('the id of a DAG'),
      externalTaskIds: templatable(
        z.union([z.string().min(1), z.array(text('the id of a task')).min(1)]).describe('a task id, or a list of them'),
      ).optional(),
      externalTaskGroupId: text('the id of a group').optional(),
      externalRunId: text('a run id').optional(),
      executionDelta: z
        .custom<Duration>((value) => parseDuration(value).ok)
        .describe("a duration such as '1h'")
        .optional(),
      logicalDateFn: z
        .custom<NonNullable<ExternalTaskSensorArgs['logicalDateFn']>>((value) => typeof value === 'function')
        .describe('a function (logicalDate, ctx) => Date')
        .optional(),
      allowedStates: states,
      skippedStates: states,
      failedStates: states,
      checkExistence: z.boolean().describe('true or false').optional(),
    })
    .refine(
      (args) =>
        [args.externalRunId, args.executionDelta, args.logicalDateFn].filter((each) => each !== undefined).length < 2,
      {
        path: ['executionDelta'],
        error: 'one of externalRunId, executionDelta and logicalDateFn',
      },
    )
    .refine((args) => args.externalTaskIds === undefined || args.externalTaskGroupId === undefined, {
      path: ['externalTaskGroupId'],
      error: 'externalTaskIds or externalTaskGroupId, not both',
    })
    .refine(
      (args) =>
        isEachOnce([args.allowedStates ?? ['success'], args.skippedStates ?? [], args.failedStates ?? []].flat()),
      {
        path: ['allowedStates'],
        error: 'a state that is in one of allowedStates, skippedStates and failedStates only',
      },
    )
    .refine((args) => args.externalTaskIds !== undefined || args.externalTaskGroupId !== undefined || areOfRuns(args), {
      path: ['allowedStates'],
      error: `states of a run, without externalTaskIds and externalTaskGroupId: ${RUN_STATES.join(', ')}`,
    });

  waitFor(ctx: TaskContext, args: ExternalTaskSensorArgs): Wait {
    const { externalDagId, externalTaskIds, externalTaskGroupId, externalRunId } = args;
    return {
      kind: 'run',
      dagId: externalDagId,
      ...(externalRunId === undefined ? { logicalDate: dateOf(ctx, args) } : { runId: externalRunId }),
      ...(externalTaskIds === undefined ? {} : { taskIds: [externalTaskIds].flat() }),
      ...(externalTaskGroupId === undefined ? {} : { groupIds: [externalTaskGroupId] }),
      allowedStates: args.allowedStates ?? ['success'],
      failedStates: args.failedStates ?? [],
      ...(args.skippedStates === undefined ? {} : { skippedStates: args.skippedStates }),
      ...(args.checkExistence === true ? { checkExistence: true as const } : {}),
    };
  }
}

type States = { readonly [K in 'allowedStates' | 'skippedStates' | 'failedStates']?: readonly string[] | undefined };
const isEachOnce = (all: readonly string[]): boolean => new Set(all).size === all.length;
const areOfRuns = ({ allowedStates = [], skippedStates = [], failedStates = [] }: States): boolean =>
  [...allowedStates, ...skippedStates, ...failedStates].every((state) =>
    (RUN_STATES as readonly string[]).includes(state),
  );

function dateOf(ctx: TaskContext, { executionDelta, logicalDateFn }: ExternalTaskSensorArgs): number {
  if (ctx.logicalDate === null)
    throw new Error('the run has no logical date, so that there is none to look for; allowed: externalRunId');
  if (logicalDateFn === undefined) {
    const delta = executionDelta === undefined ? undefined : parseDuration(executionDelta);
    return ctx.logicalDate.getTime() - (delta?.ok === true ? delta.value : 0);
  }
  const date: unknown = logicalDateFn(ctx.logicalDate, ctx);
  if (!(date instanceof Date) || Number.isNaN(date.getTime()))
    throw new TypeError(`logicalDateFn returned ${String(date)}; allowed: a valid Date`);
  return date.getTime();
}

export interface ExternalTaskMarkerArgs {
  readonly externalDagId: string;
  readonly externalTaskId: string;
  /** Default: that of this task's run. A template. */
  readonly logicalDate?: string;
}

/** Says that a task of another DAG waits for this place. It does nothing itself. */
export class ExternalTaskMarker extends Operator<ExternalTaskMarkerArgs, void> {
  static override readonly templateFields = ['externalDagId', 'externalTaskId', 'logicalDate'];
  static override readonly schema = z.strictObject({
    externalDagId: text('the id of a DAG'),
    externalTaskId: text('the id of a task'),
    logicalDate: text('ISO text').optional(),
  });

  execute(): void {}
}
