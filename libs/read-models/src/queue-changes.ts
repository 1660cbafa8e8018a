import { assertNever } from '@rondo/kernel';
import type { AssetQueueChange } from '@rondo/ports';
import { sql } from 'kysely';
import { dialectOf, type Db } from './dialect.ts';
import type { RowSink } from './write.ts';

/** One change of what waits for runs. */
export function queueChange(sink: RowSink, db: Db, change: AssetQueueChange): void {
  const { dagId } = change;
  switch (change.kind) {
    case 'queued': {
      const { partitionKey, name, from, to, at, position } = change.row;
      return sink.put('asset_queue', [dagId, partitionKey, name, from, to, at, position, null]);
    }
    case 'consumed':
      return sink.run(
        db
          .updateTable('asset_queue')
          .set({ run_no: change.runNo })
          .where('dag_id', '=', dagId)
          .where('partition_key', '=', change.partitionKey)
          .where('run_no', 'is', null),
      );
    case 'deleted': {
      const { names, partitionKey } = change;
      const gone = waiting(db, dagId).where('name', 'in', listed(db, names));
      return sink.run(partitionKey === undefined ? gone : gone.where('partition_key', '=', partitionKey));
    }
    case 'retargeted':
      return sink.run(
        waiting(db, dagId)
          .where('name', 'not in', listed(db, change.names))
          .where('name', 'not in', (eb) =>
            eb.selectFrom('asset_aliases').select('name').where('alias', 'in', listed(db, change.aliases)),
          )
          .where('name', 'not in', (eb) =>
            eb.selectFrom('assets').select('name').where('uri', 'in', listed(db, change.uris)),
          ),
      );
    default:
      assertNever(change, 'change of what waits for a run');
  }
}

const waiting = (db: Db, dagId: string) =>
  db.deleteFrom('asset_queue').where('dag_id', '=', dagId).where('run_no', 'is', null);

/** One parameter, however many texts: the statement is the same. */
const listed = (db: Db, texts: readonly string[]) => dialectOf(db).texts(sql`${JSON.stringify(texts)}`);
