import { APPROVAL_STATES } from '@rondo/ports';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { afterField, epochMs, json, mapIndexText, pagedOf, pageFields, taskParams } from '../http/schemas.ts';

const tag = 'approvals';

const responseSchema = z
  .object({
    chosenOptions: z.array(z.string()).readonly(),
    params: z.record(z.string(), json),
    respondedBy: z.string().nullable().meta({ description: 'Null: the defaults, at the timeout.' }),
    respondedAt: epochMs,
    timedOut: z.boolean(),
  })
  .meta({ id: 'ApprovalResponse' });

export const approvalSchema = z
  .object({
    dagId: z.string(),
    runId: z.string(),
    taskId: z.string(),
    mapIndex: z.string(),
    tryNumber: z.number().int(),
    leg: z.number().int(),
    state: z
      .enum(APPROVAL_STATES)
      .meta({ description: '`closed`: the task was ended otherwise, for example marked or cleared.' }),
    subject: z.string(),
    body: z.string().nullable().meta({ description: 'Markdown.' }),
    options: z.array(z.string()).readonly(),
    multiple: z.boolean().meta({ description: 'More than one option may be chosen.' }),
    defaults: z.array(z.string()).readonly().nullable().meta({ description: 'Chosen at the deadline.' }),
    params: z
      .record(z.string(), z.looseObject({ default: json.optional(), schema: z.record(z.string(), json) }))
      .meta({ description: 'The fields of the form, each with its JSON schema.' }),
    assignees: z.array(z.string()).readonly().nullable().meta({ description: 'Who may answer; null: everybody.' }),
    askedAt: epochMs,
    deadline: epochMs.nullable(),
    response: responseSchema.nullable(),
  })
  .meta({ id: 'Approval' });

export const listApprovals = {
  id: 'listApprovals',
  method: 'get',
  path: '/approvals',
  tag,
  summary: 'List what tasks ask of people, with the answers, latest first',
  action: 'read',
  query: z.strictObject({
    dagId: z.string().min(1).max(250).optional(),
    runId: z.string().min(1).max(300).optional(),
    taskId: z.string().min(1).max(250).optional(),
    state: z.array(z.enum(APPROVAL_STATES)).optional(),
    assignee: z.string().min(1).max(250).optional().meta({ description: 'Only those that this user may answer.' }),
    ...pageFields,
    ...afterField,
  }),
  answer: pagedOf(approvalSchema),
} as const satisfies Operation;

const instance = { mapIndex: mapIndexText.default('') };
const path = '/approvals/{dagId}/{runId}/{taskId}';

export const getApproval = {
  id: 'getApproval',
  method: 'get',
  path,
  tag,
  summary: 'Get what a task instance asks, or has asked last',
  action: 'read',
  params: taskParams,
  query: z.strictObject({ ...instance, ...afterField }),
  answer: approvalSchema,
  refusals: [404],
} as const satisfies Operation;

export const respondApproval = {
  id: 'respondApproval',
  method: 'post',
  path,
  tag,
  summary: 'Answer a task that asks',
  description: 'The answer is the return value of the task. Only the assignees may answer, where there are any.',
  action: 'control',
  params: taskParams,
  query: z.strictObject({ ...instance }),
  body: z
    .strictObject({
      options: z.array(z.string()).meta({ description: 'One of the options, or more where `multiple` is true.' }),
      by: z
        .string()
        .min(1)
        .max(250)
        .optional()
        .meta({ description: 'In whose name; default: that of the caller, `local` or `token`.' }),
      params: z
        .record(z.string(), json)
        .optional()
        .meta({ description: 'Fields of the form; default: their defaults.' }),
    })
    .meta({ id: 'ApprovalAnswer' }),
  answer: approvalSchema,
  refusals: [404, 409, 422],
} as const satisfies Operation;

export const APPROVAL_OPERATIONS: readonly Operation[] = [listApprovals, getApproval, respondApproval];
