import type { DagRow, DagVersionRow } from '@rondo/ports';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { afterField, dagParams, epochMs, json, pagedOf, pageFields } from '../http/schemas.ts';

export const dagSchema = z
  .object({
    dagId: z.string(),
    version: z.string().meta({ description: 'Hash of the version that a new run executes.' }),
    file: z.string().meta({ description: 'The DAG file, relative to the DAG folder.' }),
    description: z.string().nullable(),
    paused: z.boolean(),
    retired: z.boolean().meta({ description: 'Its file is gone, or has it no more.' }),
    tags: z.array(z.string()).readonly(),
    owners: z.array(z.string()).readonly(),
    timetable: json,
    timezone: z.string(),
    publishedAt: epochMs,
  })
  .meta({ id: 'Dag' }) satisfies z.ZodType<DagRow>;

const definitionSchema = z
  .looseObject({
    dagId: z.string(),
    file: z.string(),
    timezone: z.string(),
    tasks: z.array(z.looseObject({ taskId: z.string(), operator: z.string(), upstream: z.array(z.string()) })),
  })
  .meta({ id: 'DagDefinition', description: 'The DAG as its file declares it.' });

export const dagDetailSchema = dagSchema.extend({ definition: definitionSchema }).meta({ id: 'DagDetail' });

export const dagVersionSchema = z
  .object({
    dagId: z.string(),
    version: z.string(),
    number: z.number().int().meta({ description: 'From 1.' }),
    bundle: z.string().meta({ description: 'Hash of the files that the version is made of.' }),
    file: z.string(),
    publishedAt: epochMs,
  })
  .meta({ id: 'DagVersion' }) satisfies z.ZodType<DagVersionRow>;

const versionField = {
  version: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'the hash of a version: 64 hex digits')
    .optional()
    .meta({ description: 'Of this version. Default: the current one.' }),
};
const tag = 'dags';

export const listDags = {
  id: 'listDags',
  method: 'get',
  path: '/dags',
  tag,
  summary: 'List DAGs',
  action: 'read',
  query: z.strictObject({
    pattern: z
      .string()
      .min(1)
      .max(250)
      .optional()
      .meta({ description: 'Only ids that contain this text, in either case.' }),
    tag: z.string().min(1).max(250).optional(),
    paused: z.boolean().optional(),
    includeRetired: z.boolean().default(false),
    ...pageFields,
    ...afterField,
  }),
  answer: pagedOf(dagSchema),
} as const satisfies Operation;

export const getDag = {
  id: 'getDag',
  method: 'get',
  path: '/dags/{dagId}',
  tag,
  summary: 'Get a DAG and its definition',
  action: 'read',
  params: dagParams,
  query: z.strictObject({ ...versionField, ...afterField }),
  answer: dagDetailSchema,
  refusals: [404],
} as const satisfies Operation;

export const patchDag = {
  id: 'patchDag',
  method: 'patch',
  path: '/dags/{dagId}',
  tag,
  summary: 'Pause or unpause a DAG',
  action: 'control',
  params: dagParams,
  body: z.strictObject({ paused: z.boolean() }),
  answer: dagSchema,
  refusals: [404, 409],
} as const satisfies Operation;

const pausing = (verb: 'pause' | 'unpause') =>
  ({
    id: `${verb}Dag`,
    method: 'post',
    path: `/dags/{dagId}/${verb}`,
    tag,
    summary: verb === 'pause' ? 'Pause a DAG: no new runs or tasks start' : 'Unpause a DAG',
    action: 'control',
    params: dagParams,
    body: z.strictObject({}).optional(),
    answer: dagSchema,
    refusals: [404, 409],
  }) as const satisfies Operation;

export const patchDags = {
  id: 'patchDags',
  method: 'patch',
  path: '/dags',
  tag,
  summary: 'Pause or unpause all DAGs whose id fits a pattern',
  action: 'control',
  body: z
    .strictObject({
      pattern: z
        .string()
        .min(1)
        .max(250)
        .meta({ description: '`*` stands for any characters, `?` for one; `*` alone for all.' }),
      paused: z.boolean(),
    })
    .meta({ id: 'DagsChange' }),
  answer: z.object({ dagIds: z.array(z.string()).meta({ description: 'Those that were changed.' }) }),
} as const satisfies Operation;

export const pauseDag = pausing('pause');
export const unpauseDag = pausing('unpause');

export const getDagSource = {
  id: 'getDagSource',
  method: 'get',
  path: '/dags/{dagId}/source',
  tag,
  summary: 'Get the source of a DAG',
  action: 'read',
  params: dagParams,
  query: z.strictObject({ ...versionField, ...afterField }),
  answer: z
    .object({ dagId: z.string(), version: z.string(), file: z.string(), text: z.string() })
    .meta({ id: 'DagSource' }),
  refusals: [404],
} as const satisfies Operation;

export const listDagVersions = {
  id: 'listDagVersions',
  method: 'get',
  path: '/dags/{dagId}/versions',
  tag,
  summary: 'List the versions of a DAG, the newest last',
  action: 'read',
  params: dagParams,
  query: z.strictObject({ ...afterField }),
  answer: pagedOf(dagVersionSchema),
  refusals: [404],
} as const satisfies Operation;

export const listDagTasks = {
  id: 'listDagTasks',
  method: 'get',
  path: '/dags/{dagId}/tasks',
  tag,
  summary: 'List the tasks of a DAG, in order of declaration',
  action: 'read',
  params: dagParams,
  query: z.strictObject({ ...versionField, ...afterField }),
  answer: pagedOf(
    z
      .looseObject({ taskId: z.string(), operator: z.string(), upstream: z.array(z.string()).readonly() })
      .meta({ id: 'Task' }),
  ),
  refusals: [404],
} as const satisfies Operation;

export const listNextRuns = {
  id: 'listNextRuns',
  method: 'get',
  path: '/dags/{dagId}/next',
  tag,
  summary: 'Preview the next runs that the timetable asks for',
  action: 'read',
  params: dagParams,
  query: z.strictObject({ count: z.number().int().min(1).max(100).default(5), ...afterField }),
  answer: z.object({
    items: z.array(
      z
        .looseObject({
          logicalDate: epochMs,
          dataInterval: z.tuple([epochMs, epochMs]).readonly(),
          runAfter: epochMs,
          partitionKey: z.string().optional().meta({ description: 'The run has this in place of a date.' }),
        })
        .meta({ id: 'NextRun' }),
    ),
    waitsFor: z
      .object({
        condition: z.string(),
        assets: z.array(z.object({ name: z.string(), events: z.number().int() })).readonly(),
      })
      .optional()
      .meta({ id: 'AssetWait', description: 'The assets that the DAG waits for, and how many updates of each wait.' }),
    problem: z
      .string()
      .optional()
      .meta({ description: "What is wrong with a timetable of the author's own; it is asked again by itself." }),
  }),
  refusals: [404],
} as const satisfies Operation;

export const DAG_OPERATIONS: readonly Operation[] = [
  listDags,
  getDag,
  patchDags,
  patchDag,
  pauseDag,
  unpauseDag,
  getDagSource,
  listDagVersions,
  listDagTasks,
  listNextRuns,
];
