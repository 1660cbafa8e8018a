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
    sealed: z.boolean().meta({ description: 'What people have put into it is sealed with a key of its own.' }),
    erasedAt: epochMs
      .nullable()
      .meta({ description: 'When that key was deleted: `{"$erased": true}` stands in the place of what it sealed.' }),
    archive: z
      .enum(['archiving', 'archived', 'restored'])
      .nullable()
      .meta({ description: 'Of an archived run there are no task instances and XComs until it is restored.' }),
    archiveAt: epochMs.nullable().meta({ description: 'Since when.' }),
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
      priority: z.number().int().optional().meta({ description: "In place of its DAG's; larger first." }),
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

export const RUN_OPERATIONS: readonly Operation[] = [listAllRuns, listRuns, triggerRun, getRun, listRunEvents];
