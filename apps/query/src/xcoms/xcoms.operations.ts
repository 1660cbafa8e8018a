import type { XComRow } from '@rondo/ports';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import {
  afterField,
  asOfField,
  json,
  mapIndexText,
  pagedOf,
  pageFields,
  runParams,
  taskParams,
} from '../http/schemas.ts';

const tag = 'XComs';
const instanceFields = { mapIndex: mapIndexText.default('') };
const reading = { method: 'get', tag, action: 'read', refusals: [404, 410] } as const;
const ofTask = { ...reading, params: taskParams } as const;
const base = '/dags/{dagId}/runs/{runId}/tasks/{taskId}';
const keyParams = taskParams.extend({ key: z.string().min(1).max(250) });

export const xcomSchema = z
  .object({
    dagId: z.string(),
    runId: z.string(),
    taskId: z.string(),
    mapIndex: z.string(),
    key: z.string(),
    value: json,
    blob: z.string().nullable().meta({ description: 'Hash of a large value; `value` is then null.' }),
  })
  .meta({ id: 'XCom' }) satisfies z.ZodType<XComRow>;

export const listXComs = {
  ...ofTask,
  id: 'listXComs',
  path: `${base}/xcoms`,
  summary: 'List the XComs of a task instance',
  query: z.strictObject({ ...instanceFields, ...asOfField, ...afterField }),
  answer: pagedOf(xcomSchema),
} as const satisfies Operation;

export const getXCom = {
  ...ofTask,
  id: 'getXCom',
  path: `${base}/xcoms/{key}`,
  summary: 'Get an XCom, a large one with its value',
  params: keyParams,
  query: z.strictObject({ ...instanceFields, ...asOfField, ...afterField }),
  answer: xcomSchema,
} as const satisfies Operation;

export const putXCom = {
  id: 'putXCom',
  method: 'put',
  path: `${base}/xcoms/{key}`,
  tag,
  summary: 'Set an XCom of a task instance',
  description:
    'The next try of the task starts without it. Who set it, and what it was before, stays in the history of the run.',
  action: 'control',
  params: keyParams,
  query: z.strictObject(instanceFields),
  body: z
    .strictObject({
      value: json.meta({
        description: 'JSON; what JSON lacks as tagged JSON, such as `{"$type": "date", "$value": …}`.',
      }),
    })
    .meta({ id: 'XComContent' }),
  answer: xcomSchema,
  refusals: [404, 409, 422],
} as const satisfies Operation;

export const deleteXCom = {
  id: 'deleteXCom',
  method: 'delete',
  path: `${base}/xcoms/{key}`,
  tag,
  summary: 'Delete an XCom of a task instance',
  action: 'control',
  params: keyParams,
  query: z.strictObject(instanceFields),
  status: 204,
  refusals: [404, 409],
} as const satisfies Operation;

export const listRunXComs = {
  ...reading,
  id: 'listRunXComs',
  path: '/dags/{dagId}/runs/{runId}/xcoms',
  summary: 'List the XComs of a run',
  params: runParams,
  query: z.strictObject({ taskId: z.string().min(1).max(250).optional(), ...pageFields, ...asOfField, ...afterField }),
  answer: pagedOf(xcomSchema),
} as const satisfies Operation;

export const XCOM_OPERATIONS: readonly Operation[] = [listXComs, getXCom, putXCom, deleteXCom, listRunXComs];
