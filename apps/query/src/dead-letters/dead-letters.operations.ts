import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { epochMs } from '../http/schemas.ts';

const tag = 'dead letters';
const letterId = z.number().int().min(0);
const topic = z
  .string()
  .regex(/^[\w.-]{1,249}$/, '1 to 249 letters, digits and _ . -')
  .optional()
  .meta({ description: 'Only of this topic.', example: 'rondo.sensor.events' });

export const deadLetterSchema = z
  .object({
    id: letterId.meta({ description: 'Its number: a later one has a higher number.' }),
    topic: z.string(),
    partition: z.number().int(),
    offset: z.number().int().meta({ description: 'Of the message in its topic.' }),
    key: z.string().meta({ description: 'The first 200 characters.' }),
    size: z.number().int().meta({ description: 'Bytes of the message.' }),
    reason: z.string().meta({ description: 'What was wrong with it.' }),
    at: epochMs,
    replayedAt: epochMs.nullable(),
    replayedBy: z.string().nullable(),
  })
  .meta({ id: 'DeadLetter' });

export const deadLetterDetailSchema = deadLetterSchema
  .extend({
    outline: z.string().meta({
      description:
        'The brackets and the names of fields of its beginning. Its values are never answered, as they may be secrets; empty: it is no text.',
    }),
  })
  .meta({ id: 'DeadLetterDetail' });

export const listDeadLetters = {
  id: 'listDeadLetters',
  method: 'get',
  path: '/dead-letters',
  tag,
  summary: 'List messages that nobody could decode',
  description: 'The oldest first. A platform of one process has none.',
  action: 'read',
  query: z.strictObject({
    topic,
    replayed: z.boolean().optional().meta({ description: 'Only those that were sent again, or were not.' }),
    from: letterId.optional().meta({ description: 'From this number on: `next` of the page before.' }),
    limit: z.number().int().min(1).max(1_000).default(50).meta({ description: 'How many to answer at most.' }),
  }),
  answer: z.object({
    items: z.array(deadLetterSchema),
    next: letterId.nullable().meta({ description: 'Where the next page begins; null: this was the last.' }),
  }),
} as const satisfies Operation;

export const getDeadLetter = {
  id: 'getDeadLetter',
  method: 'get',
  path: '/dead-letters/{key}',
  tag,
  summary: 'Get one, with its outline',
  action: 'read',
  params: z.object({ key: z.coerce.number().int().min(0).meta({ description: 'Its number.' }) }),
  answer: deadLetterDetailSchema,
  refusals: [404],
} as const satisfies Operation;

export const replayDeadLetters = {
  id: 'replayDeadLetters',
  method: 'post',
  path: '/dead-letters/replay',
  tag,
  summary: 'Send messages to their topics again, byte for byte',
  description:
    'Those that are named, all of them or none; or, with `all`, those that were not sent again yet. At least once each. One that cannot be decoded again becomes another letter.',
  action: 'administer',
  body: z
    .union([
      z.strictObject({ ids: z.array(letterId).min(1).max(1_000) }),
      z.strictObject({ all: z.literal(true), topic }),
    ])
    .meta({ id: 'DeadLetterReplay' }),
  answer: z
    .object({ replayed: z.number().int().meta({ description: 'Messages that were sent.' }) })
    .meta({ id: 'DeadLettersReplayed' }),
  refusals: [404, 409],
} as const satisfies Operation;

export const DEAD_LETTER_OPERATIONS: readonly Operation[] = [listDeadLetters, getDeadLetter, replayDeadLetters];
