import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { BackfillRow, DagRow, InstanceRecord, RowChanges, RunChanges, RunRecord, TaskTryRow } from '@rondo/ports';
import { mapOrder } from './map-order.ts';
import { AssetWriter } from './asset-writer.ts';
import { RenderedRuns } from './rendered-runs.ts';
import type { CheckpointTable } from './schema.ts';
import type { Db } from './sqlite.ts';
import { TABLES, type TableName } from './tables.ts';

export interface Checkpoint {
  readonly position: number;
  readonly eventPosition: number;
  readonly eventId: string;
}

/** Writes what a batch changed and the checkpoint in one transaction, by statements that Kysely compiled once. */
export class RowWriter {
  private readonly database: DatabaseSync;
  private readonly db: Db;
  private readonly upserts = new Map<TableName, StatementSync>();
  private readonly deletes = new Map<TableName, StatementSync>();
  private readonly forgetXComs: StatementSync;
  private readonly forgetXCom: StatementSync;
  private readonly dropInstance: StatementSync;
  private readonly forgetTags: StatementSync;
  private readonly answerApproval: StatementSync;
  private readonly assets: AssetWriter;
  private readonly renderedRuns: RenderedRuns;
  private readonly projectionVersion: number;

  constructor(database: DatabaseSync, db: Db, projectionVersion: number) {
    this.database = database;
    this.db = db;
    this.projectionVersion = projectionVersion;
    this.assets = new AssetWriter(database, (table, ...values) => this.put(table, ...values));
    this.renderedRuns = new RenderedRuns(database, db);
    const xcoms = db.deleteFrom('xcoms').where('run_no', '=', 0).where('task_id', '=', '').where('map_index', '=', '');
    this.forgetXComs = database.prepare(xcoms.compile().sql);
    this.forgetXCom = database.prepare(xcoms.where('key', '=', '').compile().sql);
    const instance = db.deleteFrom('task_instances').where('run_no', '=', 0).where('task_id', '=', '');
    this.dropInstance = database.prepare(instance.where('map_index', '=', '').compile().sql);
    const answer = db
      .updateTable('approvals')
      .set({ response: '' })
      .where('run_no', '=', 0)
      .where('task_id', '=', '')
      .where('map_index', '=', '')
      .where('try_number', '=', 0)
      .where('leg', '=', 0);
    this.answerApproval = database.prepare(answer.compile().sql);
    this.forgetTags = database.prepare(db.deleteFrom('dag_tags').where('dag_id', '=', '').compile().sql);
  }

  write(changes: RowChanges, checkpoint: Checkpoint): void {
    this.database.exec('begin immediate');
    try {
      for (const dag of changes.dags) this.writeDag(dag);
      for (const { dagId, version, number, bundle, file, publishedAt } of changes.dagVersions)
        this.put('dag_versions', dagId, version, number, bundle, file, publishedAt);
      for (const run of changes.runs) this.writeRun(run);
      this.writeBackfills(changes);
      this.assets.write(changes);
      this.writeAdmin(changes);
      const row: CheckpointTable = {
        id: 1,
        position: checkpoint.position,
        event_position: checkpoint.eventPosition,
        event_id: checkpoint.eventId,
        projection_version: this.projectionVersion,
      };
      this.put('checkpoint', row.id, row.position, row.event_position, row.event_id, row.projection_version);
      this.database.exec('commit');
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('rollback');
      this.renderedRuns.forget();
      throw error;
    }
  }

  private writeDag(dag: DagRow): void {
    const { dagId, version, file, description, paused, retired, tags, owners, timetable, timezone, publishedAt } = dag;
    const json = [JSON.stringify(tags), JSON.stringify(owners), JSON.stringify(timetable)];
    this.put(
      'dags',
      dagId,
      version,
      file,
      description,
      Number(paused),
      Number(retired),
      ...json,
      timezone,
      publishedAt,
    );
    this.forgetTags.run(dagId);
    for (const tag of new Set(tags)) this.put('dag_tags', dagId, tag);
  }

  private writeRun({ runNo, run, dropped, tasks, tries, forgotten, xcoms, rendered, approvals }: RunChanges): void {
    if (run !== undefined) this.upsert('runs').run(...runValues(run));
    for (const { taskId, mapIndex } of dropped) this.dropInstance.run(runNo, taskId, mapIndex);
    if (tasks.length > 0) {
      const upsert = this.upsert('task_instances');
      for (const row of tasks) upsert.run(...instanceValues(runNo, row));
    }
    for (const row of tries) this.upsert('task_tries').run(...tryValues(runNo, row));
    for (const { taskId, mapIndex, key } of forgotten)
      if (key === undefined) this.forgetXComs.run(runNo, taskId, mapIndex);
      else this.forgetXCom.run(runNo, taskId, mapIndex, key);
    for (const { taskId, mapIndex, key, value, blob } of xcoms)
      this.put('xcoms', runNo, taskId, mapIndex, key, mapOrder(mapIndex), JSON.stringify(value), blob);
    for (const { taskId, mapIndex, tryNumber, fields } of rendered)
      this.put('rendered_fields', runNo, taskId, mapIndex.join('.'), tryNumber, JSON.stringify(fields));
    if (rendered.length > 0) this.renderedRuns.wrote(rendered[0]!.dagId, runNo);
    for (const { taskId, mapIndex, tryNumber, leg, asked, response } of approvals) {
      const key = [runNo, taskId, mapIndex, tryNumber, leg] as const;
      if (asked !== undefined)
        this.put('approvals', ...key, asked.at, asked.deadline, JSON.stringify(asked.wait), null);
      if (response !== undefined) this.answerApproval.run(JSON.stringify(response), ...key);
    }
  }

  private writeBackfills({ backfills, backfillDates }: RowChanges): void {
    for (const row of backfills) this.put('backfills', ...backfillValues(row));
    for (const { dagId, backfillId, ordinal, logicalDate, runId, action, reason } of backfillDates)
      this.put('backfill_dates', dagId, backfillId, ordinal, logicalDate, runId, action, reason);
  }

  private writeAdmin({ importErrors, variables, connections, pools }: RowChanges): void {
    for (const [file, row] of importErrors)
      if (row === null) this.remove('import_errors', file);
      else this.put('import_errors', file, row.message, row.line, row.column, row.dagId, row.taskId, row.stack, row.at);
    for (const [key, row] of variables)
      if (row === null) this.remove('variables', key);
      else this.put('variables', key, JSON.stringify(row.sealed), row.description);
    for (const [connId, row] of connections)
      if (row === null) this.remove('connections', connId);
      else {
        const { connType, host, port, schema, login, description } = row;
        this.put('connections', connId, connType, host, port, schema, login, description, JSON.stringify(row.sealed));
      }
    for (const [name, row] of pools)
      if (row === null) this.remove('pools', name);
      else this.put('pools', name, row.slots, row.description, Number(row.includeDeferred));
  }

  private put(table: TableName, ...values: SQLInputValue[]): void {
    this.upsert(table).run(...values);
  }

  private remove(table: 'import_errors' | 'variables' | 'connections' | 'pools', key: string): void {
    let statement = this.deletes.get(table);
    if (statement === undefined) {
      const column = this.db.dynamic.ref(TABLES[table].key[0]!);
      statement = this.database.prepare(this.db.deleteFrom(table).where(column, '=', key).compile().sql);
      this.deletes.set(table, statement);
    }
    statement.run(key);
  }

  /** Insert or overwrite by primary key; values are bound key first, in the order of the table's shape. */
  private upsert(table: TableName): StatementSync {
    const known = this.upserts.get(table);
    if (known !== undefined) return known;
    const { key, rest } = TABLES[table] as { readonly key: readonly string[]; readonly rest: readonly string[] };
    const blank = Object.fromEntries([...key, ...rest].map((column) => [column, null]));
    const query = this.db
      .insertInto(table)
      .values(blank as never)
      .onConflict((conflict) => {
        const target = conflict.columns(key as never);
        if (rest.length === 0) return target.doNothing();
        return target.doUpdateSet(
          (eb) => Object.fromEntries(rest.map((column) => [column, eb.ref(`excluded.${column}` as never)])) as never,
        );
      });
    const statement = this.database.prepare(query.compile().sql);
    this.upserts.set(table, statement);
    return statement;
  }
}

function runValues(run: RunRecord): SQLInputValue[] {
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
  ];
}

function backfillValues(row: BackfillRow): SQLInputValue[] {
  return [
    ...[row.dagId, row.backfillId, row.state, row.from, row.to, Number(row.reverse), row.reprocess],
    ...[row.maxActiveRuns, Number(row.runOnLatestVersion), JSON.stringify(row.conf)],
    row.only === null ? null : JSON.stringify(row.only),
    ...[row.dates, row.created, row.cleared, row.passed, row.createdAt, row.endedAt],
  ];
}

function instanceValues(runNo: number, row: InstanceRecord): SQLInputValue[] {
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

function tryValues(runNo: number, row: TaskTryRow): SQLInputValue[] {
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
