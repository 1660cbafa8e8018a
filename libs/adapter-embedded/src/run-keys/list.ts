import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { StoredRunKey } from '@rondo/ports';
import type { DataPaths } from '../folder/paths.ts';

export interface ListedRunKey {
  readonly id: string;
  readonly stored: StoredRunKey;
  /** Of a deleted one: all that goes with it is gone as well. */
  readonly isFinished: boolean;
}

/** The keys of sealed runs as they are kept, sealed with the platform's secret key. Only reads. */
export function* runKeysIn({ runKeys }: Pick<DataPaths, 'runKeys'>): Generator<ListedRunKey> {
  if (!existsSync(runKeys)) return;
  const db = new DatabaseSync(runKeys, { readOnly: true, timeout: 2_000 });
  try {
    for (const row of db.prepare('select id, key, finished from run_keys order by id').iterate()) {
      const { id, key, finished } = row as {
        readonly id: string;
        readonly key: string | null;
        readonly finished: number;
      };
      yield { id, stored: key === null ? 'erased' : { key }, isFinished: finished === 1 };
    }
  } finally {
    db.close();
  }
}
