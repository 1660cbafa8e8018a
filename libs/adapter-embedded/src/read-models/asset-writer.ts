import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { assertNever } from '@rondo/kernel';
import type { AssetChanges, AssetEventRow, AssetQueueChange } from '@rondo/ports';
import type { TableName } from './tables.ts';

type Put = (table: TableName, ...values: SQLInputValue[]) => void;

/** Writes the rows of assets, and what waits for runs in the order in which it changed. */
export class AssetWriter {
  private readonly put: Put;
  private readonly sql: Readonly<Record<keyof typeof SQL, StatementSync>>;

  constructor(database: DatabaseSync, put: Put) {
    this.put = put;
    const prepared = Object.entries(SQL).map(([name, text]) => [name, database.prepare(text)] as const);
    this.sql = Object.fromEntries(prepared) as typeof this.sql;
  }

  write({ assets, assetEvents, assetAliases, assetLinks, assetQueue }: AssetChanges): void {
    for (const { name, uri, group, extra } of assets) this.put('assets', name, uri, group, JSON.stringify(extra));
    for (const row of assetEvents) this.put('asset_events', ...eventValues(row));
    for (const { alias, name, uri, at } of assetAliases) this.put('asset_aliases', alias, name, uri, at);
    for (const [dagId, links] of assetLinks) {
      this.sql.forgetLinks.run(dagId);
      for (const { use, taskId, kind, name } of links) this.put('asset_links', dagId, use, taskId, kind, name);
    }
    for (const change of assetQueue) this.writeQueue(change);
  }

  private writeQueue(change: AssetQueueChange): void {
    const { dagId } = change;
    switch (change.kind) {
      case 'queued': {
        const { partitionKey, name, from, to, at, position } = change.row;
        this.put('asset_queue', dagId, partitionKey, name, from, to, at, position, null);
        return;
      }
      case 'consumed':
        this.sql.consume.run(change.runNo, dagId, change.partitionKey);
        return;
      case 'deleted': {
        const { names, partitionKey } = change;
        if (partitionKey === undefined) this.sql.drop.run(dagId, JSON.stringify(names));
        else this.sql.dropPartition.run(dagId, JSON.stringify(names), partitionKey);
        return;
      }
      case 'retargeted':
        this.sql.retarget.run(
          dagId,
          ...[change.names, change.aliases, change.uris].map((names) => JSON.stringify(names)),
        );
        return;
      default:
        assertNever(change, 'change of what waits for a run');
    }
  }
}

const SQL = {
  forgetLinks: 'delete from asset_links where dag_id = ?',
  consume: 'update asset_queue set run_no = ? where dag_id = ? and partition_key = ? and run_no is null',
  drop: 'delete from asset_queue where dag_id = ? and run_no is null and name in (select value from json_each(?))',
  dropPartition:
    'delete from asset_queue where dag_id = ? and run_no is null and name in (select value from json_each(?)) and partition_key = ?',
  retarget: `delete from asset_queue where dag_id = ? and run_no is null
    and name not in (select value from json_each(?))
    and name not in (select name from asset_aliases where alias in (select value from json_each(?)))
    and name not in (select name from assets where uri in (select value from json_each(?)))`,
} as const;

function eventValues(row: AssetEventRow): SQLInputValue[] {
  const { source } = row;
  return [
    ...[row.name, row.revision, row.position, row.uri, row.at, JSON.stringify(row.extra), row.partitionKey],
    JSON.stringify(row.aliases),
    ...[source?.dagId ?? null, source?.runId ?? null, source?.taskId ?? null],
    ...[source?.mapIndex ?? null, source?.tryNumber ?? null],
  ];
}
