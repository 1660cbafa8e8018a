import { RUN_STATES, RUN_TYPES } from '@rondo/domain';
import type { DagRunRow } from '@rondo/ports';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import {
  afterField,
  asOfField,
  dagParams,
  epochMs,
  instantText,
  json,
  mapIndexText,
  pagedOf,
  pageFields,
  runIdText,
  runParams,
} from '../http/schemas.ts';

const ORDERS = ['runAfter', '-runAfter', 'startedAt', '-startedAt', 'endedAt', '-endedAt', 'runId', '-runId'] as const;
const tag = 'runs';

export const runSchema = z
  .object({
    dagId: z.string(),
    runId: z.string(),
    runType: z.enum(RUN_TYPES),
    state: z.enum(RUN_STATES),
    version: z
      .string()
      .nullable()
      .meta({ description: 'Hash of the version that it executes; null before it is admitted.' }),
    logicalDate: epochMs.nullable(),
    dataIntervalStart: epochMs.nullable(),
    dataIntervalEnd: epochMs.nullable(),
    runAfter: epochMs,
    conf: json,
    triggeredBy: z.string(),
    note: z.string().nullable(),
    noteBy: z.string().nullable().meta({ description: 'Who wrote it; null for one that came with the request.' }),
    held: z.boolean(),
    priority: z.number().int().nullable().meta({ description: "Its own, in place of its DAG's." }),
    queuedAt: epochMs,
    startedAt: epochMs.nullable(),
    endedAt: epochMs.nullable(),
    tryNumber: z.number().int().meta({ description: 'From 1; grows when a run that failed is tried again.' }),
    reason: z.string().nullable().meta({ description: 'Why it ended as it did, or why it is tried again.' }),
    backfillId: z.number().int().nullable().meta({ description: 'The backfill of its DAG that it is a run of.' }),
    partitionKey: z.string().nullable().meta({ description: 'The part of its assets that it is about.' }),
  })
  .meta({ id: 'DagRun' }) satisfies z.ZodType<DagRunRow>;

const filters = {
  state: z.array(z.enum(RUN_STATES)).optional(),
  runType: z.array(z.enum(RUN_TYPES)).optional(),
  backfillId: z.number().int().min(1).optional().meta({ description: 'Only runs of this backfill of their DAG.' }),
  logicalDateGte: instantText.optional(),
  logicalDateLte: instantText.optional(),
  runAfterGte: instantText.optional(),
  runAfterLte: instantText.optional(),
  orderBy: z.enum(ORDERS).default('-runAfter').meta({ description: 'A leading `-` is descending.' }),
  ...pageFields,
  ...afterField,
};

export const listAllRuns = {
  id: 'listAllRuns',
  method: 'get',
  path: '/runs',
  tag,
  summary: 'List runs of all DAGs',
  action: 'read',
  query: z.strictObject({ dagId: z.string().min(1).max(250).optional(), ...filters }),
  answer: pagedOf(runSchema),
} as const satisfies Operation;

export const listRuns = {
  id: 'listRuns',
  method: 'get',
  path: '/dags/{dagId}/runs',
  tag,
  summary: 'List the runs of a DAG',
  description:
    'With `asOf`, the runs that had been asked for by then, each as it was; `state` and orders by start or end cannot be asked for at once with it.',
  action: 'read',
  params: dagParams,
  query: z.strictObject({ ...filters, ...asOfField }),
  answer: pagedOf(runSchema),
  refusals: [404],
} as const satisfies Operation;

export const triggerRun = {
  id: 'triggerRun',
  method: 'post',
  path: '/dags/{dagId}/runs',
  tag,
  summary: 'Start a run',
  description: 'The same Idempotency-Key always means the same run, also after a restart.',
  action: 'trigger',
  params: dagParams,
  body: z
    .strictObject({
      runId: runIdText.optional().meta({ description: 'Default: made from type and time.' }),
      conf: json.optional().meta({ description: 'Configuration of the run; it may override params.' }),
      logicalDate: z.union([epochMs, instantText]).nullable().optional(),
      note: z.string().max(1_000).optional(),
      partitionKey: z
        .string()
        .min(1)
        .max(250)
        .optional()
        .meta({ description: 'The part of its assets that it is about.' }),
      ignoreDependsOnPast: z.boolean().optional().meta({ description: 'Tasks do not wait for the run before' }),
    })
    .meta({ id: 'TriggerRun' }),
  status: 201,
  answer: runSchema,
  refusals: [404, 409, 422],
} as const satisfies Operation;

export const getRun = {
  id: 'getRun',
  method: 'get',
  path: '/dags/{dagId}/runs/{runId}',
  tag,
  summary: 'Get a run',
  action: 'read',
  params: runParams,
  query: z.strictObject({ ...asOfField, ...afterField }),
  answer: runSchema,
  refusals: [404],
} as const satisfies Operation;

const selection = {
  taskIds: z
    .array(z.string().min(1).max(250))
    .max(1_000)
    .optional()
    .meta({ description: 'Default: all tasks of the run.' }),
  mapIndex: mapIndexText.optional().meta({ description: 'One instance; only with one task id.' }),
  includeUpstream: z.boolean().optional(),
  includeDownstream: z.boolean().optional(),
  onlyFailed: z.boolean().optional(),
  onlyRunning: z.boolean().optional(),
};

const touchedSchema = z
  .looseObject({
    instances: z.array(
      z.looseObject({
        taskId: z.string(),
        mapIndex: z.string(),
        to: z.int().optional().meta({
          description: 'Of a range: its last index, in place of the last element of `mapIndex`, where it begins.',
        }),
      }),
    ),
  })
  .meta({ id: 'Touched', description: 'The task instances that were changed, or would be.' });

const touching = {
  method: 'post',
  tag,
  action: 'control',
  params: runParams,
  answer: touchedSchema,
  refusals: [404, 409, 422],
} as const;

export const clearRun = {
  ...touching,
  id: 'clearRun',
  path: '/dags/{dagId}/runs/{runId}/clear',
  summary: 'Clear task instances, so that they run again',
  body: z
    .strictObject({
      ...selection,
      dryRun: z.boolean().optional().meta({ description: 'Only tell what would be cleared.' }),
    })
    .meta({ id: 'ClearRun' }),
} as const satisfies Operation;

export const markRun = {
  ...touching,
  id: 'markRun',
  path: '/dags/{dagId}/runs/{runId}/mark',
  summary: 'Set the state of a run, or with `taskIds` of task instances',
  body: z
    .strictObject({ state: z.enum(['success', 'failed', 'skipped']), ...selection })
    .refine((body) => body.taskIds !== undefined || body.state !== 'skipped', {
      path: ['state'],
      message: 'a run is marked success or failed; skipped only with taskIds',
    })
    .meta({ id: 'MarkRun' }),
} as const satisfies Operation;

export const cancelRun = {
  ...touching,
  id: 'abortRun',
  path: '/dags/{dagId}/runs/{runId}/cancel',
  summary: 'End a run: what runs fails, the rest is skipped',
  body: z.strictObject({}).optional(),
  answer: runSchema,
} as const satisfies Operation;

export const eventSchema = z
  .object({
    position: z.number().int(),
    stream: z.string(),
    revision: z.number().int(),
    id: z.string(),
    type: z.string(),
    data: json,
    meta: json,
  })
  .meta({ id: 'HistoryEvent' });

export const listRunEvents = {
  id: 'listRunEvents',
  method: 'get',
  path: '/dags/{dagId}/runs/{runId}/events',
  tag,
  summary: 'List the events of a run: its history',
  action: 'read',
  params: runParams,
  query: z.strictObject({ ...pageFields, ...asOfField, ...afterField }),
  answer: pagedOf(eventSchema),
  refusals: [404],
} as const satisfies Operation;

export const RUN_OPERATIONS: readonly Operation[] = [
  listAllRuns,
  listRuns,
  triggerRun,
  getRun,
  clearRun,
  markRun,
  cancelRun,
  listRunEvents,
];
