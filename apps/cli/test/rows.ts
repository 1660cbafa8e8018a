import type { DagDefinition, TaskDefinition } from '@rondo/domain';
import type { DagRow, DagRunRow, TaskInstanceRow } from '@rondo/ports';

export const dagRow = (dagId: string, more: Partial<DagRow> = {}): DagRow => ({
  dagId,
  version: 'a'.repeat(64),
  file: `${dagId}.ts`,
  description: null,
  paused: false,
  retired: false,
  tags: [],
  owners: ['rondo'],
  timetable: { kind: 'cron_trigger', expression: '0 6 * * *', timezone: 'UTC' },
  timezone: 'UTC',
  publishedAt: Date.UTC(2026, 2, 14),
  ...more,
});

export const runRow = (runId: string, more: Partial<DagRunRow> = {}): DagRunRow => ({
  dagId: 'orders',
  runId,
  runType: 'manual',
  state: 'success',
  version: 'a'.repeat(64),
  logicalDate: null,
  dataIntervalStart: null,
  dataIntervalEnd: null,
  runAfter: Date.UTC(2026, 2, 14, 6),
  conf: null,
  triggeredBy: 'user',
  note: null,
  noteBy: null,
  held: false,
  priority: null,
  queuedAt: Date.UTC(2026, 2, 14, 6),
  startedAt: Date.UTC(2026, 2, 14, 6),
  endedAt: Date.UTC(2026, 2, 14, 6, 0, 2),
  tryNumber: 1,
  reason: null,
  backfillId: null,
  partitionKey: null,
  sealed: false,
  erasedAt: null,
  ...more,
});

export const taskRow = (taskId: string, more: Partial<TaskInstanceRow> = {}): TaskInstanceRow => ({
  dagId: 'orders',
  runId: 'r1',
  taskId,
  mapIndex: '',
  mapIndexName: null,
  state: 'success',
  tryNumber: 1,
  maxTries: 1,
  leg: 1,
  operator: 'BashOperator',
  pool: 'default_pool',
  queue: 'default',
  scheduledAt: null,
  queuedAt: null,
  startedAt: Date.UTC(2026, 2, 14, 6),
  endedAt: Date.UTC(2026, 2, 14, 6, 0, 1),
  worker: 'local',
  pid: 1,
  retryAt: null,
  reason: null,
  error: null,
  held: false,
  priority: null,
  note: null,
  noteBy: null,
  ...more,
});

const task = (taskId: string, upstream: readonly string[]): Partial<TaskDefinition> => ({
  taskId,
  upstream,
  operator: 'BashOperator',
  triggerRule: 'all_success',
  retries: 2,
});

/** As much of a definition as the command line reads. */
export const definition = {
  dagId: 'orders',
  timetable: { kind: 'none' },
  timezone: 'UTC',
  catchup: false,
  maxActiveRuns: 16,
  maxActiveTasks: 16,
  tasks: [task('extract', []), task('load', ['extract'])],
} as unknown as DagDefinition;
