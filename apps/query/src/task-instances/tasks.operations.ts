import { TASK_STATES, type TaskError } from '@rondo/domain';
import type { LogLine, RenderedFieldsRow, TaskInstanceRow, TaskTryRow } from '@rondo/ports';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import {
  afterField,
  asOfField,
  epochMs,
  json,
  mapIndexText,
  pagedOf,
  pageFields,
  runParams,
  taskParams,
} from '../http/schemas.ts';

const tag = 'task instances';

const taskErrorSchema = z
  .object({
    kind: z.enum([
      'exception',
      'timeout',
      'exit',
      'cancelled',
      'load',
      'template',
      'lost',
      'branch',
      'trigger',
      'marked',
    ]),
    type: z.string().exactOptional(),
    message: z.string(),
    stack: z.string().exactOptional(),
    exitCode: z.number().int().exactOptional(),
    signal: z.string().exactOptional(),
    logTail: z.array(z.string()).readonly().exactOptional(),
  })
  .meta({ id: 'TaskError' }) satisfies z.ZodType<TaskError>;

const trySchemaFields = {
  dagId: z.string(),
  runId: z.string(),
  taskId: z.string(),
  mapIndex: z.string().meta({ description: 'Empty for a task that is not mapped, else like `3` or `2.5`.' }),
  state: z.enum(TASK_STATES),
  tryNumber: z.number().int().meta({ description: '0 before the first try.' }),
  leg: z.number().int(),
  scheduledAt: epochMs.nullable(),
  queuedAt: epochMs.nullable(),
  startedAt: epochMs.nullable(),
  endedAt: epochMs.nullable(),
  worker: z.string().nullable(),
  pid: z.number().int().nullable(),
  reason: z.string().nullable(),
  error: taskErrorSchema.nullable(),
};

export const trySchema = z.object(trySchemaFields).meta({ id: 'TaskTry' }) satisfies z.ZodType<TaskTryRow>;

export const taskInstanceSchema = z
  .object({
    ...trySchemaFields,
    mapIndexName: z.string().nullable().meta({
      description:
        'What the mapIndexTemplate of its task came to in its last attempt; null: there is none, or no attempt has ended.',
    }),
    maxTries: z.number().int().meta({ description: 'A failure of this try or an earlier one is retried.' }),
    operator: z.string(),
    pool: z.string(),
    queue: z.string(),
    retryAt: epochMs.nullable(),
    held: z.boolean().meta({ description: 'It is not published until it is released.' }),
    priority: z.number().int().nullable().meta({ description: 'Set by hand; null: that of its task.' }),
    note: z.string().nullable(),
    noteBy: z.string().nullable(),
  })
  .meta({ id: 'TaskInstance' }) satisfies z.ZodType<TaskInstanceRow>;

const renderedSchema = z
  .object({
    dagId: z.string(),
    runId: z.string(),
    taskId: z.string(),
    mapIndex: z.array(z.number().int()).readonly(),
    tryNumber: z.number().int(),
    fields: z.record(z.string(), json),
  })
  .meta({ id: 'RenderedFields' }) satisfies z.ZodType<RenderedFieldsRow>;

const logLineSchema = z
  .object({
    at: epochMs,
    stream: z.enum(['stdout', 'stderr', 'log', 'system']),
    level: z.enum(['debug', 'info', 'warn', 'error']).exactOptional(),
    text: z.string(),
  })
  .meta({ id: 'LogLine' }) satisfies z.ZodType<LogLine>;

const instanceFilter = {
  taskId: z.string().min(1).max(250).optional(),
  state: z.array(z.enum(TASK_STATES)).optional(),
  under: mapIndexText.optional().meta({
    description: 'Only instances whose map index begins so: `2` for those of the third instance of a mapped group.',
  }),
  name: z.string().min(1).max(250).optional().meta({ description: 'Only instances whose name has this in it.' }),
};
const instanceFields = { mapIndex: mapIndexText.default('') };
const tryField = { try: z.number().int().min(1).optional().meta({ description: 'Default: the latest.' }) };
const reading = { method: 'get', tag, action: 'read', refusals: [404] } as const;
const ofTask = { ...reading, params: taskParams } as const;
const base = '/dags/{dagId}/runs/{runId}/tasks/{taskId}';

export const reasonsSchema = z
  .looseObject({
    state: z.string(),
    reasons: z.array(
      z.looseObject({ rule: z.string(), passed: z.boolean(), reason: z.string() }).meta({ id: 'Reason' }),
    ),
  })
  .meta({ id: 'Reasons' });

export const listTaskInstances = {
  id: 'listTaskInstances',
  method: 'get',
  path: '/task-instances',
  tag,
  summary: 'List task instances of all runs',
  action: 'read',
  query: z.strictObject({
    dagId: z.string().min(1).max(250).optional(),
    runId: z.string().min(1).max(300).optional(),
    ...instanceFilter,
    ...pageFields,
    ...afterField,
  }),
  answer: pagedOf(taskInstanceSchema),
} as const satisfies Operation;

export const listRunTasks = {
  ...reading,
  id: 'listRunTasks',
  path: '/dags/{dagId}/runs/{runId}/tasks',
  summary: 'List the task instances of a run, in order of declaration',
  params: runParams,
  query: z.strictObject({
    ...instanceFilter,
    ...pageFields,
    ...asOfField,
    ...afterField,
  }),
  answer: pagedOf(taskInstanceSchema),
} as const satisfies Operation;

export const getTaskInstance = {
  ...ofTask,
  id: 'getTaskInstance',
  path: base,
  summary: 'Get a task instance',
  query: z.strictObject({ ...instanceFields, ...asOfField, ...afterField }),
  answer: taskInstanceSchema,
} as const satisfies Operation;

export const listTries = {
  ...ofTask,
  id: 'listTries',
  path: `${base}/tries`,
  summary: 'List the tries of a task instance, the current one last',
  query: z.strictObject({ ...instanceFields, ...asOfField, ...afterField }),
  answer: pagedOf(trySchema),
} as const satisfies Operation;

export const getRendered = {
  ...ofTask,
  id: 'getRenderedFields',
  refusals: [404, 410],
  path: `${base}/rendered`,
  summary: 'Get the template fields of a try as they were rendered',
  query: z.strictObject({ ...instanceFields, ...tryField, ...asOfField, ...afterField }),
  answer: renderedSchema,
} as const satisfies Operation;

export const getReasons = {
  ...ofTask,
  id: 'getReasons',
  path: `${base}/reasons`,
  summary: 'Tell why a task instance does not run yet',
  query: z.strictObject({ ...instanceFields, ...afterField }),
  answer: reasonsSchema,
} as const satisfies Operation;

export const getLog = {
  ...ofTask,
  id: 'getLog',
  refusals: [404, 410],
  path: `${base}/log`,
  summary: 'Get the log of a try, or follow it',
  description:
    'With `follow=true` the answer goes on until the try has ended: as server-sent events `lines` and one `end` (Accept: text/event-stream, the default), or as one JSON line each (Accept: application/x-ndjson).',
  query: z.strictObject({
    ...instanceFields,
    ...tryField,
    from: z.number().int().min(0).default(0).meta({ description: 'Number of the first line wanted, from 0.' }),
    limit: z.number().int().min(1).max(10_000).default(1_000),
    follow: z.boolean().default(false),
    ...afterField,
  }),
  answer: z.object({ lines: z.array(logLineSchema).readonly(), next: z.number().int() }).meta({ id: 'LogPage' }),
  media: ['application/json', 'text/event-stream', 'application/x-ndjson'],
} as const satisfies Operation;

export const TASK_OPERATIONS: readonly Operation[] = [
  listTaskInstances,
  listRunTasks,
  getTaskInstance,
  listTries,
  getRendered,
  getReasons,
  getLog,
];
