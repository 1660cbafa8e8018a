import type { WorkerFacts } from '@rondo/application';
import { WORKER_STATES } from '@rondo/domain';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { epochMs, pagedOf, pageFields } from '../http/schemas.ts';

const tag = 'workers';

export const workerSchema = z
  .object({
    name: z.string(),
    state: z.enum(WORKER_STATES).meta({
      description:
        '`draining`: it takes nothing new, and leaves when what it has has ended. `lost`: a gateway has heard nothing of it for the lease.',
    }),
    boot: z.string().meta({ description: 'Of its process.' }),
    release: z.string(),
    executor: z.string(),
    queues: z.array(z.string()).readonly().meta({ description: 'That it serves; `*`: every one.' }),
    labels: z.record(z.string(), z.string()),
    slots: z.number().int().meta({ description: 'Attempts that it takes at once.' }),
    running: z.number().int().meta({ description: 'Attempts that it has begun and that have not ended.' }),
    joinedAt: epochMs,
    drainingSince: epochMs.nullable(),
    leftAt: epochMs.nullable(),
    reason: z.string().nullable().meta({ description: 'Why it has left, or is lost.' }),
  })
  .meta({ id: 'Worker' }) satisfies z.ZodType<WorkerFacts>;

export const listWorkers = {
  id: 'listWorkers',
  method: 'get',
  path: '/workers',
  tag,
  summary: 'List workers',
  action: 'read',
  query: z.strictObject({
    includeLeft: z.boolean().default(false).meta({ description: 'Also those that had nothing left to do and went.' }),
    ...pageFields,
  }),
  answer: pagedOf(workerSchema),
} as const satisfies Operation;

export const drainWorker = {
  id: 'drainWorker',
  method: 'post',
  path: '/workers/{key}/drain',
  tag,
  summary: 'Send a worker away when it is done',
  description:
    'Its process takes nothing new, ends what it has and leaves. It cannot be taken back: begin the worker again. What joins under its name later is not meant.',
  action: 'administer',
  params: z.object({ key: z.string().min(1).max(250).meta({ description: "The worker's name." }) }),
  body: z
    .strictObject({
      boot: z
        .string()
        .min(1)
        .max(250)
        .optional()
        .meta({ description: 'Only this process of it: 409 when there is another by now. Default: the one there is.' }),
    })
    .meta({ id: 'WorkerDrain' }),
  answer: workerSchema,
  refusals: [404, 409],
} as const satisfies Operation;

export const WORKER_OPERATIONS: readonly Operation[] = [listWorkers, drainWorker];
