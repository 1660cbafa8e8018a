import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { epochMs, json } from '../http/schemas.ts';

const tag = 'events';

const cloudEvent = z
  .looseObject({
    specversion: z.literal('1.0').optional(),
    id: z.string().meta({ description: 'With `source` the identity: a repeat is the same event.' }),
    source: z.string().meta({ description: 'Where it happened, for example `/shop/orders`.' }),
    type: z.string().meta({ description: 'What happened, for example `order.paid`.' }),
    subject: z.string().optional(),
    time: z.string().optional().meta({ description: 'RFC 3339.' }),
    data: json.optional(),
  })
  .meta({ id: 'CloudEvent', description: 'CloudEvents 1.0 with JSON data; extension attributes are kept.' });

const reference = { $ref: '#/components/schemas/CloudEvent' };

/** Checked where events from the topic are checked too. */
const anyEvents = z.unknown().meta({
  id: 'CloudEvents',
  override: { anyOf: [reference, { type: 'array', items: reference, minItems: 1, maxItems: 1_000 }] },
});

export const sendEvents = {
  id: 'sendEvents',
  method: 'post',
  path: '/events',
  tag,
  summary: 'Send events from outside to the tasks that wait for them',
  description:
    'One CloudEvent (structured mode) or a list of at most 1,000 (batched mode), as `application/json`, `application/cloudevents+json` or `application/cloudevents-batch+json`. An event is kept, so that a task that waits for it later looks back at it; one that comes again is kept once. All of a list are taken, or none.',
  action: 'trigger',
  body: anyEvents,
  answer: z
    .object({
      events: z.array(
        z.object({
          id: z.string(),
          source: z.string(),
          type: z.string(),
          position: z.number().int().meta({ description: 'In the history; a repeat is where the first is.' }),
        }),
      ),
    })
    .meta({ id: 'SentEvents' }),
} as const satisfies Operation;

export const listReceivedEvents = {
  id: 'listReceivedEvents',
  method: 'get',
  path: '/events/received',
  tag,
  summary: 'List the events from outside, newest first, and their types',
  action: 'read',
  query: z.strictObject({
    type: z.string().min(1).max(500).optional().meta({ description: 'Only of this type.' }),
    limit: z.number().int().min(1).max(1000).default(50).meta({ description: 'How many to answer at most.' }),
  }),
  answer: z
    .object({
      types: z.array(z.object({ type: z.string(), events: z.number().int() })).readonly(),
      items: z.array(z.object({ position: z.number().int(), receivedAt: epochMs, event: cloudEvent })).readonly(),
    })
    .meta({ id: 'ReceivedEvents' }),
} as const satisfies Operation;

export const SENSOR_EVENT_OPERATIONS: readonly Operation[] = [sendEvents, listReceivedEvents];
