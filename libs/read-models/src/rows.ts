import type { TaskError } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type {
  BackfillDateRow,
  BackfillRow,
  ConnectionRow,
  DagRow,
  DagVersionRow,
  ImportErrorRow,
  InstanceRecord,
  PoolRow,
  RunRecord,
  TaskTryRow,
  VariableRow,
  XComRow,
} from '@rondo/ports';
import type {
  BackfillDatesTable,
  BackfillsTable,
  ConnectionsTable,
  DagsTable,
  DagVersionsTable,
  ImportErrorsTable,
  PoolsTable,
  RunsTable,
  TaskInstancesTable,
  TaskTriesTable,
  VariablesTable,
  XComsTable,
} from './schema.ts';

interface RunName {
  readonly dag_id: string;
  readonly run_id: string;
}

export function dagRow(row: DagsTable): DagRow {
  return {
    dagId: row.dag_id,
    version: row.version,
    file: row.file,
    description: row.description,
    paused: row.paused === 1,
    retired: row.retired === 1,
    tags: JSON.parse(row.tags) as string[],
    owners: JSON.parse(row.owners) as string[],
    timetable: JSON.parse(row.timetable) as Json,
    timezone: row.timezone,
    publishedAt: row.published_at,
  };
}

export function dagVersionRow(row: DagVersionsTable): DagVersionRow {
  const { dag_id: dagId, version, number, bundle, file, published_at: publishedAt } = row;
  return { dagId, version, number, bundle, file, publishedAt };
}

export function runRecord(row: RunsTable): RunRecord {
  return {
    dagId: row.dag_id,
    runId: row.run_id,
    runType: row.run_type,
    state: row.state,
    version: row.version,
    logicalDate: row.logical_date,
    dataIntervalStart: row.data_interval_start,
    dataIntervalEnd: row.data_interval_end,
    runAfter: row.run_after,
    conf: JSON.parse(row.conf) as Json,
    triggeredBy: row.triggered_by,
    note: row.note,
    noteBy: row.note_by,
    held: row.held === 1,
    priority: row.priority,
    queuedAt: row.queued_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    tryNumber: row.run_try,
    reason: row.reason,
    backfillId: row.backfill_id,
    partitionKey: row.partition_key,
    sealed: row.sealed_run === 1,
    erasedAt: row.erased_at,
    archive: row.archive,
    archiveAt: row.archive_at,
    runNo: row.run_no,
    dagRevisions: JSON.parse(row.dag_revisions) as number[],
  };
}

export function backfillRow(row: BackfillsTable): BackfillRow {
  return {
    dagId: row.dag_id,
    backfillId: row.backfill_id,
    state: row.state,
    from: row.from_date,
    to: row.to_date,
    reverse: row.reverse === 1,
    reprocess: row.reprocess,
    maxActiveRuns: row.max_active_runs,
    runOnLatestVersion: row.run_on_latest === 1,
    conf: JSON.parse(row.conf) as Json,
    only: row.only_tasks === null ? null : (JSON.parse(row.only_tasks) as string[]),
    dates: row.dates,
    created: row.created,
    cleared: row.cleared,
    passed: row.passed,
    createdAt: row.created_at,
    endedAt: row.ended_at,
  };
}

export function backfillDateRow(row: BackfillDatesTable): BackfillDateRow {
  const { dag_id: dagId, backfill_id: backfillId, ordinal, logical_date: logicalDate, run_id: runId } = row;
  return { dagId, backfillId, ordinal, logicalDate, runId, action: row.action, reason: row.reason };
}

export function instanceRecord(row: TaskInstancesTable & RunName): InstanceRecord {
  return {
    dagId: row.dag_id,
    runId: row.run_id,
    taskId: row.task_id,
    mapIndex: row.map_index,
    mapIndexName: row.map_index_name,
    state: row.state,
    tryNumber: row.try_number,
    maxTries: row.max_tries,
    leg: row.leg,
    operator: row.operator,
    pool: row.pool,
    queue: row.queue,
    scheduledAt: row.scheduled_at,
    queuedAt: row.queued_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    worker: row.worker,
    pid: row.pid,
    retryAt: row.retry_at,
    reason: row.reason,
    error: parseError(row.error),
    held: row.held === 1,
    priority: row.priority,
    note: row.note,
    noteBy: row.note_by,
    ordinal: row.ordinal,
    retries: row.retries,
    open: row.open === 1,
  };
}

export function taskTryRow(row: TaskTriesTable & RunName): TaskTryRow {
  return {
    dagId: row.dag_id,
    runId: row.run_id,
    taskId: row.task_id,
    mapIndex: row.map_index,
    state: row.state,
    tryNumber: row.try_number,
    leg: row.leg,
    scheduledAt: row.scheduled_at,
    queuedAt: row.queued_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    worker: row.worker,
    pid: row.pid,
    reason: row.reason,
    error: parseError(row.error),
  };
}

const parseError = (text: string | null): TaskError | null => (text === null ? null : (JSON.parse(text) as TaskError));

export function xcomRow(row: XComsTable & RunName): XComRow {
  const { dag_id: dagId, run_id: runId, task_id: taskId, map_index: mapIndex, key, blob } = row;
  return { dagId, runId, taskId, mapIndex, key, value: JSON.parse(row.value) as Json, blob };
}

export function importErrorRow(row: ImportErrorsTable): ImportErrorRow {
  const { file, message, line, column, dag_id: dagId, task_id: taskId, stack, at } = row;
  return { file, message, line, column, dagId, taskId, stack, at };
}

export function variableRow(row: VariablesTable): VariableRow {
  return { key: row.key, sealed: JSON.parse(row.sealed) as Json, description: row.description };
}

export function connectionRow(row: ConnectionsTable): ConnectionRow {
  const { conn_id: connId, conn_type: connType, host, port, schema, login, description, sealed } = row;
  return { connId, connType, host, port, schema, login, description, sealed: JSON.parse(sealed) as Json };
}

export function poolRow({ name, slots, description, include_deferred }: PoolsTable): PoolRow {
  return { name, slots, description, includeDeferred: include_deferred === 1 };
}
