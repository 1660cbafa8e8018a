import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { reasonsSchema } from '../task-instances/tasks.operations.ts';
import {
  afterField,
  dagParams,
  epochMs,
  instantText,
  mapIndexText,
  runIdText,
  runParams,
  taskParams,
} from '../http/schemas.ts';
import { runSchema } from './runs.operations.ts';

const tag = 'control';
const base = { method: 'post', tag, action: 'control', refusals: [404, 409, 422] } as const;

const naming = {
  taskIds: z
    .array(z.string().min(1).max(250))
    .max(1_000)
    .optional()
    .meta({ description: 'Ids of tasks and groups. Without these and a pattern: all tasks of the run.' }),
  taskPattern: z
    .string()
    .min(1)
    .max(250)
    .optional()
    .meta({ description: 'Tasks and groups whose id fits: `*` stands for any characters, `?` for one.' }),
  mapIndex: mapIndexText.optional().meta({ description: 'One instance; only with one task id.' }),
  includeUpstream: z.boolean().optional(),
  includeDownstream: z.boolean().optional(),
};

const direction = {
  includePast: z.boolean().optional().meta({ description: 'Runs with an earlier logical date, too.' }),
  includeFuture: z.boolean().optional().meta({ description: 'Runs with a later logical date, too.' }),
};

const states = {
  onlyFailed: z.boolean().optional(),
  onlyRunning: z.boolean().optional(),
};

const clearing = {
  ...naming,
  ...states,
  latestVersion: z.boolean().optional().meta({ description: 'The run goes on with the latest version of its DAG.' }),
  onlyNew: z
    .boolean()
    .optional()
    .meta({ description: 'Only tasks that the run does not have yet; with latestVersion.' }),
  resetDagRun: z
    .boolean()
    .optional()
    .meta({ description: 'False: a run that has ended stays as it is. Default true.' }),
  ignoreDependsOnPast: z.boolean().optional().meta({ description: 'Tasks of the run do not wait for their past.' }),
  preventRunning: z.boolean().optional().meta({ description: 'Refuse where a chosen instance is running.' }),
  note: z.string().min(1).max(1_000).optional().meta({ description: 'A note on what is cleared.' }),
  dryRun: z.boolean().optional().meta({ description: 'Only tell what would be cleared.' }),
};

/** The run ids and dates that a choice of runs goes by. */
const choosing = {
  runIds: z.array(runIdText).min(1).max(1_000).optional(),
  logicalDateGte: z.union([epochMs, instantText]).optional(),
  logicalDateLte: z.union([epochMs, instantText]).optional(),
};
const HOW_TO_CHOOSE = 'runIds, logicalDateGte or logicalDateLte is needed: which runs';

const instances = z.array(z.looseObject({ taskId: z.string(), mapIndex: z.string() }));
const touchedSchema = z.looseObject({ instances }).meta({ id: 'Touched' });
const touchedRuns = z
  .object({
    runs: z.array(
      z.looseObject({
        runId: z.string(),
        instances,
        refused: z.string().optional().meta({ description: 'Why nothing was done to this run.' }),
      }),
    ),
  })
  .meta({ id: 'TouchedRuns' });

export const clearRun = {
  ...base,
  id: 'clearRun',
  path: '/dags/{dagId}/runs/{runId}/clear',
  summary: 'Clear task instances, so that they run again',
  description:
    'Setups and teardowns of what is cleared are cleared with it. With includePast or includeFuture the answer has `runs`.',
  params: runParams,
  body: z.strictObject({ ...clearing, ...direction }).meta({ id: 'ClearRun' }),
  answer: z.union([touchedSchema, touchedRuns]),
} as const satisfies Operation;

export const clearRuns = {
  ...base,
  id: 'clearRuns',
  path: '/dags/{dagId}/clear',
  summary: 'Clear task instances of several runs',
  params: dagParams,
  body: z
    .strictObject({ ...clearing, ...choosing })
    .refine(isChosen, HOW_TO_CHOOSE)
    .meta({ id: 'ClearRuns' }),
  answer: touchedRuns,
} as const satisfies Operation;

const markState = z.enum(['success', 'failed', 'skipped']);

export const markRun = {
  ...base,
  id: 'markRun',
  path: '/dags/{dagId}/runs/{runId}/mark',
  summary: 'Set the state of a run, or of task instances that are named',
  description: 'With includePast or includeFuture the answer has `runs`.',
  params: runParams,
  body: z
    .strictObject({ state: markState, ...naming, ...states, ...direction })
    .refine((body) => names(body) || body.state !== 'skipped', {
      path: ['state'],
      message: 'a run is marked success or failed; skipped only with taskIds or taskPattern',
    })
    .meta({ id: 'MarkRun' }),
  answer: z.union([touchedSchema, touchedRuns]),
} as const satisfies Operation;

export const markRuns = {
  ...base,
  id: 'markRuns',
  path: '/dags/{dagId}/mark',
  summary: 'Set the state of task instances of several runs',
  params: dagParams,
  body: z
    .strictObject({ state: markState, ...naming, ...states, ...choosing })
    .refine(isChosen, HOW_TO_CHOOSE)
    .refine(names, 'taskIds or taskPattern is needed: which tasks')
    .meta({ id: 'MarkRuns' }),
  answer: touchedRuns,
} as const satisfies Operation;

export const abortRun = {
  ...base,
  id: 'abortRun',
  path: '/dags/{dagId}/runs/{runId}/abort',
  summary: 'End a run: what runs fails, the rest is skipped',
  description: 'A run that has ended stays as it is.',
  params: runParams,
  body: z.strictObject({}).optional(),
  answer: runSchema,
} as const satisfies Operation;

export const eraseRun = {
  ...base,
  id: 'eraseRun',
  path: '/dags/{dagId}/runs/{runId}/erase',
  summary: 'Erase a sealed run: its conf, XComs, errors, rendered fields, notes and logs are gone for good',
  description:
    'Deletes the key of the run. Only of a run that was sealed and has ended. Its states and times stay, and the history verifies as before.',
  action: 'administer',
  params: runParams,
  body: z.strictObject({}).optional(),
  answer: runSchema,
} as const satisfies Operation;

export const archiveRun = {
  ...base,
  id: 'archiveRun',
  path: '/dags/{dagId}/runs/{runId}/archive',
  summary: 'Archive a run that has ended: its events and logs are kept in the blob store',
  description:
    'Is done about a minute after the end of the run. Its state and times stay, its events and logs are read from there; its task instances and XComs are not listed until it is restored.',
  action: 'administer',
  params: runParams,
  body: z.strictObject({}).optional(),
  answer: runSchema,
} as const satisfies Operation;

export const restoreRun = {
  ...base,
  id: 'restoreRun',
  path: '/dags/{dagId}/runs/{runId}/restore',
  summary: 'Restore an archived run: it is as if it had never been archived',
  action: 'administer',
  params: runParams,
  body: z.strictObject({}).optional(),
  answer: runSchema,
} as const satisfies Operation;

const holdBody = z.strictObject(naming).optional();

export const holdRun = {
  ...base,
  id: 'holdRun',
  path: '/dags/{dagId}/runs/{runId}/hold',
  summary: 'Hold a run, or task instances that are named',
  description: 'What runs goes on; nothing else begins until it is released. A run that waits to start does not start.',
  params: runParams,
  body: holdBody,
  answer: touchedSchema,
} as const satisfies Operation;

export const releaseRun = {
  ...base,
  id: 'releaseRun',
  path: '/dags/{dagId}/runs/{runId}/release',
  summary: 'Release a run, or task instances that are named',
  params: runParams,
  body: holdBody,
  answer: touchedSchema,
} as const satisfies Operation;

const priority = z.number().int().min(-2_147_483_648).max(2_147_483_647).nullable().optional();
const changes = {
  priority: priority.meta({ description: 'Larger first; null: that of the DAG again.' }),
  retries: z.number().int().min(0).max(10_000).optional(),
  note: z.string().max(1_000).optional().meta({ description: 'Empty: the note is taken away.' }),
};

export const patchRun = {
  ...base,
  id: 'patchRun',
  method: 'patch',
  path: '/dags/{dagId}/runs/{runId}',
  summary: 'Set priority, retries of all its tasks, or the note of a run',
  params: runParams,
  body: z.strictObject(changes).refine(isChange, 'one of priority, retries, note is needed').meta({ id: 'RunChange' }),
  answer: runSchema,
} as const satisfies Operation;

export const patchTask = {
  ...base,
  id: 'patchTask',
  method: 'patch',
  path: '/dags/{dagId}/runs/{runId}/tasks/{taskId}',
  summary: 'Set priority, retries or the note of a task instance',
  description: 'Without mapIndex: of all instances of the task.',
  params: taskParams,
  body: z
    .strictObject({ mapIndex: naming.mapIndex, ...changes })
    .refine(isChange, 'one of priority, retries, note is needed')
    .meta({ id: 'TaskChange' }),
  answer: touchedSchema,
} as const satisfies Operation;

export const getRunReasons = {
  id: 'getRunReasons',
  method: 'get',
  path: '/dags/{dagId}/runs/{runId}/reasons',
  tag,
  summary: 'Tell why a run does not start, or begins no tasks',
  action: 'read',
  params: runParams,
  query: z.strictObject({ ...afterField }),
  answer: reasonsSchema,
  refusals: [404, 409],
} as const satisfies Operation;

export const CONTROL_OPERATIONS: readonly Operation[] = [
  clearRuns,
  markRuns,
  patchRun,
  clearRun,
  markRun,
  abortRun,
  eraseRun,
  archiveRun,
  restoreRun,
  holdRun,
  releaseRun,
  patchTask,
  getRunReasons,
];

export function names(body: { readonly taskIds?: unknown; readonly taskPattern?: unknown }): boolean {
  return body.taskIds !== undefined || body.taskPattern !== undefined;
}

function isChosen(body: {
  readonly runIds?: unknown;
  readonly logicalDateGte?: unknown;
  readonly logicalDateLte?: unknown;
}) {
  return body.runIds !== undefined || body.logicalDateGte !== undefined || body.logicalDateLte !== undefined;
}

function isChange(body: { readonly priority?: unknown; readonly retries?: unknown; readonly note?: unknown }): boolean {
  return body.priority !== undefined || body.retries !== undefined || body.note !== undefined;
}
