import { onlyTasks, type DagDefinition, type DagEvent, type DagRunEvent, type RunRequestedData } from '@rondo/domain';
import { assertNever } from '@rondo/kernel';
import { applyAttemptEvent, applyBulkEvent, applyVersion, applyXComEvent } from './instance-fold.ts';
import { applyMapped } from './mapping-fold.ts';
import type { RunFoldRow, RunModel, RunSink } from './run-model.ts';

export type DagRunsEvent = Extract<DagEvent, { data: { readonly runId: string } }>;

/** Does the event of a DAG's stream speak of one of its runs, or of the DAG itself? */
export function isAboutRun(event: DagEvent): event is DagRunsEvent {
  return 'runId' in event.data;
}

/** The row of a run that has just been asked for. */
export function requestedRun(dagId: string, data: RunRequestedData, at: number, runNo: number): RunFoldRow {
  return {
    dagId,
    runId: data.runId,
    runType: data.runType,
    state: 'queued',
    version: null,
    logicalDate: data.logicalDate,
    dataIntervalStart: data.dataInterval?.[0] ?? null,
    dataIntervalEnd: data.dataInterval?.[1] ?? null,
    runAfter: data.runAfter,
    conf: data.conf ?? {},
    triggeredBy: data.triggeredBy,
    note: data.note ?? null,
    noteBy: null,
    held: false,
    priority: data.priority ?? null,
    queuedAt: at,
    startedAt: null,
    endedAt: null,
    tryNumber: 1,
    reason: null,
    runNo,
    backfillId: data.backfill?.backfillId ?? null,
    partitionKey: data.partitionKey ?? null,
    sealed: data.sealed ?? false,
    erasedAt: null,
    archive: null,
    archiveAt: null,
    dagRevisions: [],
  };
}

/** An event of `dag-{dagId}` that speaks of this run; `at` is when it occurred. */
export function applyDagEvent(model: RunModel, event: DagRunsEvent, at: number, revision: number, sink: RunSink): void {
  const { run } = model;
  run.dagRevisions = [...run.dagRevisions, revision];
  sink.touchRun(run);
  switch (event.type) {
    case 'RunRequested':
      return;
    case 'RunAdmitted':
      run.version = event.data.version;
      return;
    case 'RunReopened':
      reopen(model, at);
      if (event.data.backfill === undefined) return;
      run.runType = 'backfill';
      run.triggeredBy = 'backfill';
      run.backfillId = event.data.backfill.backfillId;
      return;
    case 'RunClosed':
      run.held = false;
      if (model.ended) return;
      run.state = event.data.state;
      run.endedAt = at;
      run.reason = event.data.reason ?? null;
      return;
    case 'RunSummaryRevised':
    case 'RunPastIgnored':
      return;
    case 'RunHeld':
    case 'RunReleased':
      run.held = event.type === 'RunHeld';
      return;
    case 'RunReprioritised':
      run.priority = event.data.priority;
      return;
    case 'RunNoted':
      run.note = event.data.note === '' ? null : event.data.note;
      run.noteBy = event.data.note === '' ? null : event.data.by;
      return;
    case 'RunErased':
      run.erasedAt = event.data.at;
      sink.eraseRun();
      return;
    case 'RunArchiveBegun':
      setArchive(run, 'archiving', event.data.at);
      return;
    case 'RunArchived': {
      const { at: archivedAt, startedAt, endedAt, tryNumber, reason } = event.data;
      setArchive(run, 'archived', archivedAt);
      Object.assign(run, { startedAt, endedAt, tryNumber, reason });
      sink.archiveRun(model);
      return;
    }
    case 'RunRestored':
      setArchive(run, 'restored', event.data.at);
      return;
    case 'RunVersionChanged':
      run.version = event.data.version;
      return;
    default:
      assertNever(event, 'event of a DAG about a run');
  }
}

function expandable(definition: DagDefinition, only: readonly string[] | undefined): DagDefinition {
  return only === undefined ? definition : onlyTasks(definition, only);
}

function setArchive(run: RunFoldRow, stand: RunFoldRow['archive'], at: number): void {
  run.archive = stand;
  run.archiveAt = at;
}

function reopen({ run }: RunModel, at: number): void {
  run.state = 'queued';
  run.queuedAt = at;
  run.startedAt = null;
  run.endedAt = null;
  run.reason = null;
}

/** An event of the run's own stream. Mirrors what the domain folds, with the times and texts that people want to see. */
export function applyRunEvent(
  model: RunModel,
  event: DagRunEvent,
  definition: DagDefinition | undefined,
  sink: RunSink,
): void {
  const { run } = model;
  switch (event.type) {
    case 'RunStarted':
      run.version = event.data.version;
      run.state = 'running';
      run.startedAt = event.data.at;
      if (definition !== undefined && model.instances.size === 0) model.expand(expandable(definition, event.data.only));
      for (const instance of model.instances.values()) sink.touch(instance);
      sink.touchRun(run);
      return;
    case 'RunReopened':
      reopen(model, event.data.at);
      sink.touchRun(run);
      return;
    case 'RunResumed':
      run.state = 'running';
      run.startedAt = event.data.at;
      sink.touchRun(run);
      return;
    case 'RunSucceeded':
    case 'RunFailed':
      run.state = event.type === 'RunSucceeded' ? 'success' : 'failed';
      run.endedAt = event.data.at;
      run.reason = event.data.reason;
      sink.touchRun(run);
      return;
    case 'CallbackReported':
    case 'PastConditionsAnswered':
    case 'RunTaken':
      return;
    case 'XComSet':
    case 'XComDeleted':
      applyXComEvent(model, event, sink);
      return;
    case 'TaskMapped':
      applyMapped(model, definition, event.data, sink);
      return;
    case 'TaskSkipped':
    case 'TaskUpstreamFailed':
    case 'TaskRemoved':
    case 'TaskMarked':
    case 'TaskCleared':
    case 'GroupRetried':
      applyBulkEvent(model, event, sink);
      return;
    case 'RunRetried':
      run.tryNumber = event.data.tryNumber;
      run.reason = `tried again after ${event.data.reason}`;
      sink.touchRun(run);
      applyBulkEvent(model, event, sink);
      return;
    case 'TaskHeld':
    case 'TaskReleased':
    case 'TaskReprioritised':
    case 'TaskRetriesSet':
    case 'TaskNoted':
      applyBulkEvent(model, event, sink);
      return;
    case 'RunVersionChanged':
      run.version = event.data.version;
      if (definition !== undefined) applyVersion(model, event.data.at, definition, sink);
      sink.touchRun(run);
      return;
    default:
      applyAttemptEvent(model.instance(event.data.taskId, event.data.mapIndex), event, sink);
  }
}
