import {
  DataFolderError,
  openEmbeddedEventStore,
  runKeysIn,
  type DataPaths,
  type ListedRunKey,
} from '@rondo/adapter-embedded';
import { openPostgresRunKeys } from '@rondo/adapter-postgres';
import { dagStream, keyIdOf } from '@rondo/application';
import type { RunKeys } from '@rondo/ports';

export interface KeysReport {
  /** Keys that are in the target now, as they were. */
  readonly keys: number;
  /** Of erased runs: the target knows that there is no key, and never will be. */
  readonly erased: number;
}

const AT_ONCE = 200;

/** How many keys of runs the folder has. */
export function keysIn(paths: DataPaths): number {
  let keys = 0;
  for (const { stored } of runKeysIn(paths)) if (stored !== 'erased') keys++;
  return keys;
}

/**
 * Brings the keys of sealed runs along, sealed as they are. What the folder or the history calls erased is erased there too,
 * whatever either has of it. May be done again.
 */
export async function copyRunKeys(paths: DataPaths, url: string): Promise<KeysReport> {
  const erased = await erasedIn(paths.folder);
  const target = await openPostgresRunKeys({ url });
  try {
    let report: KeysReport = { keys: 0, erased: 0 };
    for (const group of groupsOf(runKeysIn(paths))) {
      const kept = await Promise.all(group.map((key) => copyOne(target, key, erased)));
      const keys = kept.filter(Boolean).length;
      report = { keys: report.keys + keys, erased: report.erased + kept.length - keys };
    }
    return report;
  } finally {
    await target.close();
  }
}

/** Answers whether there is a key. */
async function copyOne(target: RunKeys, { id, stored, isFinished }: ListedRunKey, erased: ReadonlySet<string>) {
  if (stored === 'erased' || erased.has(id)) {
    await target.delete(id);
    if (isFinished) await target.finish(id);
    return false;
  }
  const there = await target.create(id, stored.key);
  if (there !== 'erased' && there.key !== stored.key)
    throw new DataFolderError('unusable', `the target has another key ${id}: it belongs to another platform`);
  return there !== 'erased';
}

/** A copy of the keys that was put back may have some that were deleted since. */
async function erasedIn(folder: string): Promise<ReadonlySet<string>> {
  const store = await openEmbeddedEventStore({ folder });
  const [ids, prefix] = [new Set<string>(), dagStream('')];
  try {
    const filter = { streamPrefixes: [prefix], eventTypes: ['RunErased'] };
    for await (const page of store.readAll(0, { filter }))
      for (const { stream, data } of page)
        ids.add(keyIdOf(stream.slice(prefix.length), (JSON.parse(data) as { readonly runId: string }).runId));
    return ids;
  } finally {
    await store.close();
  }
}

function* groupsOf(keys: Iterable<ListedRunKey>): Generator<ListedRunKey[]> {
  let group: ListedRunKey[] = [];
  for (const key of keys) {
    group.push(key);
    if (group.length < AT_ONCE) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
