import { attemptId, instanceKey, type AttemptKey, type DagRunEvent } from '@rondo/domain';
import type { RecordedEvent, SpanData } from '@rondo/ports';
import { decodeEvent, spanIdOf, traceOf } from '../scheduler/envelope.ts';

interface Attempt {
  readonly key: AttemptKey;
  readonly startAt: number;
  readonly attributes: Record<string, string | number>;
  readonly events: { readonly name: string; readonly at: number }[];
}

/** How an attempt ended, and whether that is an error. */
const ENDS: Partial<Record<DagRunEvent['type'], readonly [outcome: string, isError: boolean]>> = {
  TaskSucceeded: ['success', false],
  TaskFailed: ['failed', true],
  TaskRetryScheduled: ['up_for_retry', true],
  TaskRescheduled: ['up_for_reschedule', false],
  TaskDeferred: ['deferred', false],
  TaskLost: ['lost', true],
  TaskAttemptClosed: ['closed', false],
  TaskWithdrawn: ['withdrawn', false],
};

/**
 * The trace of a run that has ended, folded from its events: a span for the run, under it one for each attempt, from when it was
 * scheduled to its end. Ids are told from names, as those that a task is given in `TRACEPARENT` are: what it does itself is under
 * its attempt. Messages of errors are left out, which may say anything. Undefined: the run has not ended in these events.
 */
export function traceOfRun(dagId: string, runId: string, events: Iterable<RecordedEvent>): SpanData[] | undefined {
  return new RunTrace(dagId, runId).fold(events);
}

class RunTrace {
  private readonly dagId: string;
  private readonly runId: string;
  private readonly spans: SpanData[] = [];
  private readonly open = new Map<string, Attempt>();
  private readonly facts: Record<string, string | number> = {};
  private startAt: number | undefined;
  private end: { readonly at: number; readonly isError: boolean } | undefined;
  private lastAt = 0;

  constructor(dagId: string, runId: string) {
    this.dagId = dagId;
    this.runId = runId;
  }

  fold(events: Iterable<RecordedEvent>): SpanData[] | undefined {
    for (const recorded of events) this.apply(decodeEvent<DagRunEvent>(recorded));
    const { startAt, end } = this;
    if (startAt === undefined || end === undefined) return undefined;
    const endAt = Math.max(end.at, this.lastAt);
    for (const attempt of this.open.values()) this.close(attempt, endAt, 'open', false);
    const { traceId, spanId } = traceOf(this.dagId, this.runId);
    this.spans.unshift({
      ...{ traceId, spanId, name: `run ${this.dagId}`, startAt, endAt, events: [] },
      status: end.isError ? 'error' : 'ok',
      attributes: { 'rondo.dag.id': this.dagId, 'rondo.run.id': this.runId, ...this.facts },
    });
    return this.spans;
  }

  private apply(event: DagRunEvent): void {
    switch (event.type) {
      case 'RunStarted':
        this.startAt ??= event.data.at;
        Object.assign(this.facts, { 'rondo.run.type': event.data.runType, 'rondo.dag.version': event.data.version });
        return;
      case 'RunSucceeded':
      case 'RunFailed':
        this.end = { at: event.data.at, isError: event.type === 'RunFailed' };
        this.facts['rondo.run.reason'] = event.data.reason;
        return;
      // It came back: it has ended when it ends again.
      case 'RunReopened':
        this.end = undefined;
        return;
      case 'TaskScheduled':
        this.begin(event.data);
        return;
      case 'TaskQueued': {
        const { worker, executor } = event.data;
        Object.assign(this.of(event.data).attributes, { 'rondo.worker': worker, 'rondo.executor': executor });
        this.note('queued', event.data);
        return;
      }
      case 'TaskStarted':
        this.note('started', event.data);
        return;
      case 'TaskSkipped':
        if (event.data.attempt !== undefined) this.ended(event.data.attempt, event.data.at, 'skipped', false);
        return;
      default: {
        const [outcome, isError] = ENDS[event.type] ?? [];
        if (outcome !== undefined) this.ended(event.data as AttemptKey, event.data.at, outcome, isError!, event);
      }
    }
  }

  private begin(key: AttemptKey & { readonly at: number }): Attempt {
    const attempt: Attempt = { key, startAt: key.at, attributes: {}, events: [] };
    this.open.set(this.idOf(key), attempt);
    return attempt;
  }

  private of(key: AttemptKey & { readonly at: number }): Attempt {
    return this.open.get(this.idOf(key)) ?? this.begin(key);
  }

  private note(name: string, key: AttemptKey & { readonly at: number }): void {
    this.of(key).events.push({ name, at: key.at });
  }

  private ended(key: AttemptKey, at: number, outcome: string, isError: boolean, event?: DagRunEvent): void {
    this.lastAt = Math.max(this.lastAt, at);
    const attempt = this.open.get(this.idOf(key));
    if (attempt === undefined) return;
    if (event?.type === 'TaskFailed' || event?.type === 'TaskRetryScheduled')
      attempt.attributes['error.type'] = event.data.error.type ?? event.data.error.kind;
    this.close(attempt, at, outcome, isError);
  }

  private close({ key, startAt, attributes, events }: Attempt, at: number, outcome: string, isError: boolean): void {
    const { taskId, mapIndex, tryNumber, leg } = key;
    const id = this.idOf(key);
    this.open.delete(id);
    const { traceId, spanId } = traceOf(this.dagId, this.runId);
    this.spans.push({
      ...{ traceId, spanId: spanIdOf(id), parentSpanId: spanId, name: instanceKey(taskId, mapIndex), startAt, events },
      // Clocks of two services may differ.
      endAt: Math.max(startAt, at),
      status: isError ? 'error' : 'ok',
      attributes: {
        ...{ 'rondo.dag.id': this.dagId, 'rondo.run.id': this.runId, 'rondo.task.id': taskId },
        ...(mapIndex.length === 0 ? {} : { 'rondo.task.map_index': mapIndex.join('.') }),
        ...{ 'rondo.task.try': tryNumber, 'rondo.task.leg': leg, 'rondo.task.outcome': outcome },
        ...attributes,
      },
    });
  }

  private idOf(key: AttemptKey): string {
    return attemptId({ ...key, dagId: this.dagId, runId: this.runId });
  }
}
