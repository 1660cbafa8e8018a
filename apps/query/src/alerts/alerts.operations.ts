import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { epochMs, pagedOf, pageFields } from '../http/schemas.ts';

const tag = 'alerts';

export const parkedAlertSchema = z
  .object({
    id: z.string().meta({ description: 'Of the event.' }),
    dagId: z.string().nullable(),
    runId: z.string().nullable(),
    stream: z.string(),
    revision: z.number().int(),
    type: z.string().meta({ description: 'What happened: `TaskFailed`, `RunSucceeded`, …', example: 'RunFailed' }),
    at: epochMs.nullable(),
  })
  .meta({ id: 'ParkedAlert' });

export const listParkedAlerts = {
  id: 'listParkedAlerts',
  method: 'get',
  path: '/alerts/parked',
  tag,
  summary: 'List events that could not be told',
  description: '404: no alerting service has run here.',
  action: 'read',
  query: z.strictObject({ ...pageFields }),
  answer: pagedOf(parkedAlertSchema),
  refusals: [404],
} as const satisfies Operation;

export const replayParkedAlerts = {
  id: 'replayParkedAlerts',
  method: 'post',
  path: '/alerts/parked/replay',
  tag,
  summary: 'Tell them all again',
  description: 'At least once each. What cannot be told again is laid aside again.',
  action: 'administer',
  body: z.strictObject({}),
  status: 202,
  answer: z
    .object({ replayed: z.number().int().meta({ description: 'Events that were laid aside.' }) })
    .meta({ id: 'AlertsReplayed' }),
  refusals: [404],
} as const satisfies Operation;

export const ALERT_OPERATIONS: readonly Operation[] = [listParkedAlerts, replayParkedAlerts];
