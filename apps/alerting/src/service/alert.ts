import type { DagRunEvent } from '@rondo/domain';
import type { RecordedEvent } from '@rondo/ports';

const RUN_STREAM = /^dagRun-([^:]+):(.+)$/;

/** Events that people may want to hear of. */
export const ALERTING_TYPES = [
  'TaskFailed',
  'TaskLost',
  'TaskRetryScheduled',
  'TaskSucceeded',
  'RunFailed',
  'RunSucceeded',
] as const;

type AlertingEvent = Extract<DagRunEvent, { readonly type: (typeof ALERTING_TYPES)[number] }>;

/** What happened to a task or a run, as it is told to people. */
export interface Alert {
  /** The event's: the same when it is told again. */
  readonly id: string;
  readonly what: 'task_failed' | 'task_lost' | 'task_retried' | 'task_succeeded' | 'run_failed' | 'run_succeeded';
  readonly dag: string;
  readonly run: string;
  readonly task?: string;
  readonly mapIndex?: string;
  readonly tryNumber?: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly reason?: string;
}

/** Undefined: the event is none of those. Throws for one that cannot be read. */
export function alertOf(recorded: RecordedEvent): Alert | undefined {
  if (!(ALERTING_TYPES as readonly string[]).includes(recorded.type)) return undefined;
  const [, dag, run] = RUN_STREAM.exec(recorded.stream) ?? [];
  if (dag === undefined || run === undefined) throw new Error(`'${recorded.stream}' is no stream of a run`);
  const event = { type: recorded.type, data: JSON.parse(recorded.data) as unknown } as AlertingEvent;
  const base = { id: recorded.id, dag, run, at: event.data.at };
  switch (event.type) {
    case 'RunFailed':
    case 'RunSucceeded':
      return { ...base, what: event.type === 'RunFailed' ? 'run_failed' : 'run_succeeded', reason: event.data.reason };
    case 'TaskFailed':
      return { ...base, ...instanceOf(event.data), what: 'task_failed', reason: event.data.error.message };
    case 'TaskLost':
      return { ...base, ...instanceOf(event.data), what: 'task_lost', reason: event.data.reason };
    case 'TaskRetryScheduled':
      return { ...base, ...instanceOf(event.data), what: 'task_retried' };
    case 'TaskSucceeded':
      return { ...base, ...instanceOf(event.data), what: 'task_succeeded' };
  }
}

function instanceOf(key: {
  readonly taskId: string;
  readonly mapIndex: readonly number[];
  readonly tryNumber: number;
}) {
  const { taskId, mapIndex, tryNumber } = key;
  return { task: taskId, tryNumber, ...(mapIndex.length === 0 ? {} : { mapIndex: mapIndex.join('.') }) };
}
