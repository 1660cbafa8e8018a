import type { AssetEventRow, BackfillRow, DagRow, InstanceRecord, RunRecord, TaskTryRow } from '@rondo/ports';
import { mapOrder } from './map-order.ts';

export type SqlValue = string | number | null;

/** Each in the order of its table's shape. */
export function dagValues(dag: DagRow): SqlValue[] {
  const { dagId, version, file, description, paused, retired, tags, owners, timetable, timezone, publishedAt } = dag;
  return [
    ...[dagId, version, file, description, Number(paused), Number(retired)],
    ...[JSON.stringify(tags), JSON.stringify(owners), JSON.stringify(timetable), timezone, publishedAt],
  ];
}

export function runValues(run: RunRecord): SqlValue[] {
  return [
    run.runNo,
    run.dagId,
    run.runId,
    run.runType,
    run.state,
    run.version,
    run.logicalDate,
    run.dataIntervalStart,
    run.dataIntervalEnd,
    run.runAfter,
    JSON.stringify(run.conf),
    run.triggeredBy,
    run.note,
    run.queuedAt,
    run.startedAt,
    run.endedAt,
    run.reason,
    JSON.stringify(run.dagRevisions),
    run.noteBy,
    run.held ? 1 : 0,
    run.priority,
    run.backfillId,
    run.partitionKey,
    run.tryNumber,
    run.sealed ? 1 : 0,
    run.erasedAt,
    run.archive,
    run.archiveAt,
  ];
}

export function backfillValues(row: BackfillRow): SqlValue[] {
  return [
    ...[row.dagId, row.backfillId, row.state, row.from, row.to, Number(row.reverse), row.reprocess],
    ...[row.maxActiveRuns, Number(row.runOnLatestVersion), JSON.stringify(row.conf)],
    row.only === null ? null : JSON.stringify(row.only),
    ...[row.dates, row.created, row.cleared, row.passed, row.createdAt, row.endedAt],
  ];
}

export function instanceValues(runNo: number, row: InstanceRecord): SqlValue[] {
  return [
    runNo,
    row.taskId,
    row.mapIndex,
    mapOrder(row.mapIndex),
    row.mapIndexName,
    row.ordinal,
    row.state,
    row.tryNumber,
    row.maxTries,
    row.retries,
    row.leg,
    row.open ? 1 : 0,
    row.operator,
    row.pool,
    row.queue,
    row.scheduledAt,
    row.queuedAt,
    row.startedAt,
    row.endedAt,
    row.worker,
    row.pid,
    row.retryAt,
    row.reason,
    row.error === null ? null : JSON.stringify(row.error),
    row.held ? 1 : 0,
    row.priority,
    row.note,
    row.noteBy,
  ];
}

export function tryValues(runNo: number, row: TaskTryRow): SqlValue[] {
  return [
    runNo,
    row.taskId,
    row.mapIndex,
    row.tryNumber,
    row.state,
    row.leg,
    row.scheduledAt,
    row.queuedAt,
    row.startedAt,
    row.endedAt,
    row.worker,
    row.pid,
    row.reason,
    row.error === null ? null : JSON.stringify(row.error),
  ];
}

export function assetEventValues(row: AssetEventRow): SqlValue[] {
  const { source } = row;
  return [
    ...[row.name, row.revision, row.position, row.uri, row.at, JSON.stringify(row.extra), row.partitionKey],
    JSON.stringify(row.aliases),
    ...[source?.dagId ?? null, source?.runId ?? null, source?.taskId ?? null],
    ...[source?.mapIndex ?? null, source?.tryNumber ?? null],
  ];
}
