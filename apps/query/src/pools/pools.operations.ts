import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { afterField, pagedOf, pageFields } from '../http/schemas.ts';

const tag = 'pools';
const poolName = z
  .string()
  .regex(/^[\w.:/@+ -]{1,250}$/, '1 to 250 letters, digits, spaces and _ . : / @ + -')
  .meta({ description: "The pool's name." });
const nameParams = z.object({ key: poolName });

const slots = z.number().int().min(-1).max(1_000_000_000).meta({ description: '-1: no limit.' });
const includeDeferred = z.boolean().meta({ description: 'Deferred tasks hold their slots.' });

export const poolSchema = z
  .object({
    name: z.string(),
    slots,
    description: z.string().nullable(),
    includeDeferred,
    occupiedSlots: z.number().int().meta({ description: 'Held by attempts that are with a worker.' }),
    deferredSlots: z.number().int().meta({ description: 'Of deferred tasks; they count where they are included.' }),
    queuedSlots: z.number().int().meta({ description: 'Asked for by attempts that wait to be admitted.' }),
    openSlots: z.number().int().nullable().meta({ description: 'What is left of `slots`; null without a limit.' }),
  })
  .meta({ id: 'Pool' });

const poolContent = z
  .strictObject({ slots, description: z.string().max(1_000).optional(), includeDeferred: includeDeferred.optional() })
  .meta({ id: 'PoolContent' });

export const listPools = {
  id: 'listPools',
  method: 'get',
  path: '/pools',
  tag,
  summary: 'List pools with their slots',
  action: 'read',
  query: z.strictObject({ ...pageFields, ...afterField }),
  answer: pagedOf(poolSchema),
} as const satisfies Operation;

export const getPool = {
  id: 'getPool',
  method: 'get',
  path: '/pools/{key}',
  tag,
  summary: 'Get a pool with its slots',
  action: 'read',
  params: nameParams,
  query: z.strictObject({ ...afterField }),
  answer: poolSchema,
  refusals: [404],
} as const satisfies Operation;

export const putPool = {
  id: 'putPool',
  method: 'put',
  path: '/pools/{key}',
  tag,
  summary: 'Make or resize a pool',
  description: 'What runs in a pool that is made smaller goes on.',
  action: 'administer',
  params: nameParams,
  body: poolContent,
  answer: poolSchema,
  refusals: [409, 422],
} as const satisfies Operation;

export const putPools = {
  id: 'putPools',
  method: 'put',
  path: '/pools',
  tag,
  summary: 'Make or resize several pools',
  description:
    'Either the whole body is well-formed, or none of it is looked at. Pools that it does not name stay as they are.',
  action: 'administer',
  body: z
    .strictObject({ pools: z.record(poolName, poolContent).refine((pools) => Object.keys(pools).length <= 1_000) })
    .meta({ id: 'PoolContents', description: 'Contents by name, at most 1,000.' }),
  answer: z.object({ items: z.array(poolSchema).readonly() }),
  refusals: [409, 422],
} as const satisfies Operation;

export const deletePool = {
  id: 'deletePool',
  method: 'delete',
  path: '/pools/{key}',
  tag,
  summary: 'Delete a pool',
  description: 'What runs in it goes on; tasks that name it wait until it is made again.',
  action: 'administer',
  params: nameParams,
  status: 204,
  refusals: [404, 409, 422],
} as const satisfies Operation;

export const POOL_OPERATIONS: readonly Operation[] = [listPools, putPools, getPool, putPool, deletePool];
