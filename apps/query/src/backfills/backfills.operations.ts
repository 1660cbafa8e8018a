import { MAX_BACKFILL_DATES, PASS_REASONS, REPROCESS } from '@rondo/domain';
import type { BackfillDateRow, BackfillRow } from '@rondo/ports';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { afterField, dagParams, epochMs, instantText, json, pagedOf, pageFields } from '../http/schemas.ts';

const tag = 'backfills';
const STANDS = ['running', 'paused', 'completed', 'cancelled'] as const;
const ACTIONS = ['create', 'clear', 'pass'] as const;
const count = z.number().int();

const backfillSchema = z
  .object({
    dagId: z.string(),
    backfillId: count.meta({ description: 'From 1 in its DAG.' }),
    state: z.enum(STANDS),
    from: epochMs,
    to: epochMs,
    reverse: z.boolean(),
    reprocess: z.enum(REPROCESS),
    maxActiveRuns: count,
    runOnLatestVersion: z.boolean(),
    conf: json,
    only: z
      .array(z.string())
      .readonly()
      .nullable()
      .meta({ description: 'The tasks that its runs consist of; null: all.' }),
    dates: count.meta({ description: 'How many dates it has.' }),
    created: count.meta({ description: 'Dates that got a run so far.' }),
    cleared: count.meta({ description: 'Dates whose run is run again.' }),
    passed: count.meta({ description: 'Dates that were passed over.' }),
    createdAt: epochMs,
    endedAt: epochMs.nullable(),
  })
  .meta({ id: 'Backfill' }) satisfies z.ZodType<BackfillRow>;

const dateSchema = z
  .object({
    dagId: z.string(),
    backfillId: count,
    ordinal: count.meta({ description: 'From 1, in the order of the backfill.' }),
    logicalDate: epochMs.nullable(),
    runId: z.string().nullable(),
    action: z.enum(ACTIONS),
    reason: z.enum(PASS_REASONS).nullable().meta({ description: 'Why it was passed over.' }),
  })
  .meta({ id: 'BackfillDate' }) satisfies z.ZodType<BackfillDateRow>;

const plannedSchema = z
  .object({
    ordinal: count,
    logicalDate: epochMs,
    dataInterval: z.tuple([epochMs, epochMs]).readonly(),
    action: z.enum(ACTIONS).meta({ description: '`clear`: the run that is there is run again.' }),
    partitionKey: z.string().optional(),
    runId: z.string().optional(),
    reason: z.enum(PASS_REASONS).optional(),
  })
  .meta({ id: 'PlannedDate' });

const instant = z.union([epochMs, instantText]);
const bodyFields = {
  from: instant.meta({ description: 'The first logical date.' }),
  to: instant.meta({ description: 'The last logical date, inclusive.' }),
  reverse: z.boolean().optional().meta({ description: 'The newest date first.' }),
  reprocess: z
    .enum(REPROCESS)
    .optional()
    .meta({ description: 'Dates that have a run: left, run again if it failed, or if it has ended. Default: none.' }),
  maxActiveRuns: z.number().int().min(1).max(MAX_BACKFILL_DATES).optional().meta({ description: 'Default 10.' }),
  conf: json.optional().meta({ description: 'Configuration of its runs; it may override params.' }),
  runOnLatestVersion: z
    .boolean()
    .optional()
    .meta({ description: 'Runs that are run again take the newest version of the DAG.' }),
  only: z
    .strictObject({
      taskIds: z.array(z.string().min(1).max(250)).min(1).max(1_000),
      includeUpstream: z.boolean().optional(),
    })
    .optional()
    .meta({ description: 'Its runs consist of these tasks. Default: all.' }),
};
const backfillParams = dagParams.extend({ backfillId: z.number().int().min(1) });

export const listAllBackfills = {
  id: 'listAllBackfills',
  method: 'get',
  path: '/backfills',
  tag,
  summary: 'List the backfills of all DAGs, the newest first',
  action: 'read',
  query: z.strictObject({
    open: z.boolean().optional().meta({ description: 'Only those that are not over; false: only those that are.' }),
    ...pageFields,
    ...afterField,
  }),
  answer: pagedOf(backfillSchema),
} as const satisfies Operation;

export const listBackfills = {
  ...listAllBackfills,
  id: 'listBackfills',
  path: '/dags/{dagId}/backfills',
  summary: 'List the backfills of a DAG, the newest first',
  params: dagParams,
  refusals: [404],
} as const satisfies Operation;

export const createBackfill = {
  id: 'createBackfill',
  method: 'post',
  path: '/dags/{dagId}/backfills',
  tag,
  summary: 'Start a backfill: runs of the dates of the schedule in a range',
  description: 'A DAG has one backfill at a time. The same Idempotency-Key always means the same backfill.',
  action: 'trigger',
  params: dagParams,
  body: z.strictObject(bodyFields).meta({ id: 'CreateBackfill' }),
  status: 201,
  answer: backfillSchema,
  refusals: [404, 409, 422],
} as const satisfies Operation;

export const planBackfill = {
  id: 'planBackfill',
  method: 'post',
  path: '/dags/{dagId}/backfills/dry-run',
  tag,
  summary: 'Say what a backfill would do with each date, and start nothing',
  action: 'read',
  params: dagParams,
  query: z.strictObject({ ...pageFields }),
  body: z.strictObject(bodyFields).meta({ id: 'PlanBackfill' }),
  answer: z
    .object({ items: z.array(plannedSchema), total: count, create: count, clear: count, pass: count })
    .meta({ id: 'BackfillPlan' }),
  refusals: [404, 409, 422],
} as const satisfies Operation;

export const getBackfill = {
  id: 'getBackfill',
  method: 'get',
  path: '/dags/{dagId}/backfills/{backfillId}',
  tag,
  summary: 'Get a backfill',
  action: 'read',
  params: backfillParams,
  query: z.strictObject({ ...afterField }),
  answer: backfillSchema,
  refusals: [404],
} as const satisfies Operation;

export const listBackfillDates = {
  id: 'listBackfillDates',
  method: 'get',
  path: '/dags/{dagId}/backfills/{backfillId}/dates',
  tag,
  summary: 'List the dates that a backfill has taken, and what became of them',
  action: 'read',
  params: backfillParams,
  query: z.strictObject({ ...pageFields, ...afterField }),
  answer: pagedOf(dateSchema),
  refusals: [404],
} as const satisfies Operation;

const changing = {
  method: 'post',
  tag,
  action: 'control',
  params: backfillParams,
  body: z.strictObject({}).optional(),
  answer: backfillSchema,
  refusals: [404, 409],
} as const;

export const pauseBackfill = {
  ...changing,
  id: 'pauseBackfill',
  path: '/dags/{dagId}/backfills/{backfillId}/pause',
  summary: 'Pause a backfill: active runs go on, no other starts',
} as const satisfies Operation;

export const unpauseBackfill = {
  ...changing,
  id: 'unpauseBackfill',
  path: '/dags/{dagId}/backfills/{backfillId}/unpause',
  summary: 'Go on with a backfill',
} as const satisfies Operation;

export const cancelBackfill = {
  ...changing,
  id: 'cancelBackfill',
  path: '/dags/{dagId}/backfills/{backfillId}/cancel',
  summary: 'End a backfill: active runs go on, those that wait fail, other dates get none',
} as const satisfies Operation;

export const BACKFILL_OPERATIONS: readonly Operation[] = [
  listAllBackfills,
  listBackfills,
  createBackfill,
  planBackfill,
  getBackfill,
  listBackfillDates,
  pauseBackfill,
  unpauseBackfill,
  cancelBackfill,
];
