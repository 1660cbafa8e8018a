import { DatabaseSync } from 'node:sqlite';
import { dataPaths, openEmbeddedEventStore, openReadModels } from '@rondo/adapter-embedded';
import { PROJECTION_MODULE } from '@rondo/projections';

/** Every row of the read models of a data folder once they have caught up, by table, in order. The platform must not run. */
export async function allRows(data: string): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const paths = dataPaths(data);
  const store = await openEmbeddedEventStore({ folder: data });
  const readModels = await openReadModels({
    folder: data,
    blobs: paths.blobs,
    events: store.connect(),
    projection: PROJECTION_MODULE,
  });
  await readModels.settled(await store.head(), 60_000);
  await readModels.close();
  await store.close();
  const db = new DatabaseSync(paths.reads, { readOnly: true });
  try {
    const tables = db
      .prepare(
        "select name from sqlite_master where type = 'table' and name not like 'kysely%' and name not like 'sqlite%'",
      )
      .all();
    const rows: Record<string, readonly unknown[]> = {};
    for (const { name } of tables) {
      // The checkpoint says how far, which both have caught up to; the batches in which they did may differ.
      if (String(name).includes('checkpoint')) continue;
      rows[String(name)] = db
        .prepare(`select * from "${String(name)}"`)
        .all()
        .map((row) => JSON.stringify(row))
        .sort();
    }
    return rows;
  } finally {
    db.close();
  }
}
