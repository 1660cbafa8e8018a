import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { runIdText } from '../http/schemas.ts';

export const streamEvents = {
  id: 'streamEvents',
  method: 'get',
  path: '/events',
  tag: 'events',
  summary: 'Follow changes of state as they happen',
  description: [
    'Server-sent events; the id of each is its position in the history, and a client that comes back with `Last-Event-ID` misses none.',
    "`state`: `{ position, type, dagId, runId, run?, tasks }` with the run's new state and those of the task instances that changed. When a run starts its task instances are without a status and are not listed.",
    '`dag`: `{ position, type, dagId }`, a DAG was published, paused, unpaused or retired. `import`: `{ position, type, file }`, a DAG file was loaded, failed to, or is gone.',
  ].join('\n\n'),
  action: 'read',
  query: z.strictObject({
    dagId: z.string().min(1).max(250).optional().meta({ description: 'Only of this DAG.' }),
    runId: runIdText.optional().meta({ description: 'Only of this run; with `dagId`.' }),
    after: z
      .number()
      .int()
      .min(0)
      .optional()
      .meta({ description: 'Events after this position. Default: what happens from now on.' }),
  }),
  answer: z.string(),
  media: ['text/event-stream'],
} as const satisfies Operation;

export const EVENT_OPERATIONS: readonly Operation[] = [streamEvents];
