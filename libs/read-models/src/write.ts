import type { AssetChanges, RowChanges, RunChanges } from '@rondo/ports';
import type { Compilable } from 'kysely';
import type { Db } from './dialect.ts';
import { mapOrder } from './map-order.ts';
import { queueChange } from './queue-changes.ts';
import type { RenderedRuns } from './rendered-runs.ts';
import type { Checkpoint } from './status.ts';
import type { TableName } from './tables.ts';
import * as values from './values.ts';
import type { SqlValue } from './values.ts';

/** Takes the writes of one transaction, which have effect in the order in which they are given. */
export interface RowSink {
  /** Inserts or overwrites by primary key; the values in the order of the table's shape. */
  put(table: TableName, row: readonly SqlValue[]): void;
  /** Deletes the rows with these values in these columns. */
  remove(table: TableName, columns: readonly string[], row: readonly SqlValue[]): void;
  run(query: Compilable): void;
}

export interface WriteContext {
  /** Builds queries; runs none. */
  readonly db: Db;
  /** Looked up only when a batch has rendered fields. */
  readonly rendered: () => RenderedRuns;
  readonly projectionVersion: number;
}

const INSTANCE = ['run_no', 'task_id', 'map_index'] as const;
const XCOM = [...INSTANCE, 'key'] as const;

/**
 * Everything that a batch changed, with the checkpoint. What goes comes first, then what is put, so that a sink can gather
 * rows; last what is neither.
 */
export function writeChanges(sink: RowSink, changes: RowChanges, checkpoint: Checkpoint, context: WriteContext): void {
  const { db, projectionVersion } = context;
  const withRendered = pushOutRendered(sink, changes.runs, context.rendered);
  for (const run of changes.runs) forget(sink, run);
  writeDags(sink, changes);
  for (const run of changes.runs) putRun(sink, run, withRendered.has(run.runNo));
  putBackfills(sink, changes);
  putAssets(sink, changes);
  writeAdmin(sink, changes);
  for (const run of changes.runs) writeApprovals(sink, db, run);
  for (const change of changes.assetQueue) queueChange(sink, db, change);
  const { position, eventPosition, eventId } = checkpoint;
  sink.put('checkpoint', [1, position, eventPosition, eventId, projectionVersion]);
}

/** The runs whose rendered fields are to be written: some of a large batch are pushed out by others of it. */
function pushOutRendered(
  sink: RowSink,
  runs: readonly RunChanges[],
  rendered: () => RenderedRuns,
): ReadonlySet<number> {
  const kept = new Set<number>();
  for (const run of runs) {
    if (run.rendered.length === 0) continue;
    kept.add(run.runNo);
    for (const runNo of rendered().wrote(run.rendered[0]!.dagId, run.runNo)) {
      kept.delete(runNo);
      sink.remove('rendered_fields', ['run_no'], [runNo]);
    }
  }
  return kept;
}

const OF_INSTANCES = ['task_instances', 'task_tries', 'xcoms', 'rendered_fields', 'approvals'] as const;

function forget(sink: RowSink, { runNo, dropped, forgotten, isErased, isArchived }: RunChanges): void {
  if (isArchived) for (const table of OF_INSTANCES) sink.remove(table, ['run_no'], [runNo]);
  if (isErased) for (const table of ['xcoms', 'rendered_fields'] as const) sink.remove(table, ['run_no'], [runNo]);
  for (const { taskId, mapIndex } of dropped) sink.remove('task_instances', INSTANCE, [runNo, taskId, mapIndex]);
  for (const { taskId, mapIndex, key } of forgotten)
    if (key === undefined) sink.remove('xcoms', INSTANCE, [runNo, taskId, mapIndex]);
    else sink.remove('xcoms', XCOM, [runNo, taskId, mapIndex, key]);
}

function writeDags(sink: RowSink, { dags, dagVersions, assetLinks }: RowChanges): void {
  for (const { dagId } of dags) sink.remove('dag_tags', ['dag_id'], [dagId]);
  for (const dagId of assetLinks.keys()) sink.remove('asset_links', ['dag_id'], [dagId]);
  for (const dag of dags) {
    sink.put('dags', values.dagValues(dag));
    for (const tag of new Set(dag.tags)) sink.put('dag_tags', [dag.dagId, tag]);
  }
  for (const { dagId, version, number, bundle, file, publishedAt } of dagVersions)
    sink.put('dag_versions', [dagId, version, number, bundle, file, publishedAt]);
  for (const [dagId, links] of assetLinks)
    for (const { use, taskId, kind, name } of links) sink.put('asset_links', [dagId, use, taskId, kind, name]);
}

function putRun(sink: RowSink, { runNo, run, tasks, tries, xcoms, rendered }: RunChanges, withRendered: boolean): void {
  if (run !== undefined) sink.put('runs', values.runValues(run));
  for (const row of tasks) sink.put('task_instances', values.instanceValues(runNo, row));
  for (const row of tries) sink.put('task_tries', values.tryValues(runNo, row));
  for (const { taskId, mapIndex, key, value, blob } of xcoms)
    sink.put('xcoms', [runNo, taskId, mapIndex, key, mapOrder(mapIndex), JSON.stringify(value), blob]);
  if (!withRendered) return;
  for (const { taskId, mapIndex, tryNumber, fields } of rendered)
    sink.put('rendered_fields', [runNo, taskId, mapIndex.join('.'), tryNumber, JSON.stringify(fields)]);
}

function putBackfills(sink: RowSink, { backfills, backfillDates }: RowChanges): void {
  for (const row of backfills) sink.put('backfills', values.backfillValues(row));
  for (const { dagId, backfillId, ordinal, logicalDate, runId, action, reason } of backfillDates)
    sink.put('backfill_dates', [dagId, backfillId, ordinal, logicalDate, runId, action, reason]);
}

function putAssets(sink: RowSink, { assets, assetEvents, assetAliases }: AssetChanges): void {
  for (const { name, uri, group, extra } of assets) sink.put('assets', [name, uri, group, JSON.stringify(extra)]);
  for (const row of assetEvents) sink.put('asset_events', values.assetEventValues(row));
  for (const { alias, name, uri, at } of assetAliases) sink.put('asset_aliases', [alias, name, uri, at]);
}

function writeAdmin(sink: RowSink, { importErrors, variables, connections, pools }: RowChanges): void {
  for (const [file, row] of importErrors)
    if (row === null) sink.remove('import_errors', ['file'], [file]);
    else {
      const { message, line, column, dagId, taskId, stack, at } = row;
      sink.put('import_errors', [file, message, line, column, dagId, taskId, stack, at]);
    }
  for (const [key, row] of variables)
    if (row === null) sink.remove('variables', ['key'], [key]);
    else sink.put('variables', [key, JSON.stringify(row.sealed), row.description]);
  for (const [connId, row] of connections)
    if (row === null) sink.remove('connections', ['conn_id'], [connId]);
    else {
      const { connType, host, port, schema, login, description, sealed } = row;
      sink.put('connections', [connId, connType, host, port, schema, login, description, JSON.stringify(sealed)]);
    }
  for (const [name, row] of pools)
    if (row === null) sink.remove('pools', ['name'], [name]);
    else sink.put('pools', [name, row.slots, row.description, Number(row.includeDeferred)]);
}

function writeApprovals(sink: RowSink, db: Db, { runNo, approvals }: RunChanges): void {
  for (const { taskId, mapIndex, tryNumber, leg, asked, response } of approvals) {
    if (asked !== undefined) {
      const { at, deadline, wait } = asked;
      sink.put('approvals', [runNo, taskId, mapIndex, tryNumber, leg, at, deadline, JSON.stringify(wait), null]);
    }
    if (response === undefined) continue;
    sink.run(
      db
        .updateTable('approvals')
        .set({ response: JSON.stringify(response) })
        .where('run_no', '=', runNo)
        .where('task_id', '=', taskId)
        .where('map_index', '=', mapIndex)
        .where('try_number', '=', tryNumber)
        .where('leg', '=', leg),
    );
  }
}
