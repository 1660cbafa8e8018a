import type { BackfillEvent, DagDefinition, DagEvent } from '@rondo/domain';
import { assertNever, type Json } from '@rondo/kernel';
import type { DagRow, DagVersionRow } from '@rondo/ports';
import type { DagRunsEvent } from './run-fold.ts';

/** The events of a DAG that change its own row; the others speak of a run or a backfill. */
export type DagItselfEvent = Exclude<DagEvent, DagRunsEvent | BackfillEvent>;

export interface DagRows {
  readonly dag: DagRow;
  /** In order of their numbers. */
  readonly versions: readonly DagVersionRow[];
}

/** The rows after the event; undefined where it changes none. A version that comes back keeps its number. */
export function foldDag(
  dagId: string,
  rows: DagRows | undefined,
  event: DagItselfEvent,
  at: number,
  definition: DagDefinition | undefined,
): DagRows | undefined {
  switch (event.type) {
    case 'DagVersionPublished': {
      const { version, file, bundle, scheduling } = event.data;
      const versions = rows?.versions ?? [];
      const known = versions.some((each) => each.version === version);
      const dag: DagRow = {
        dagId,
        version,
        file,
        description: definition?.description ?? null,
        paused: rows?.dag.paused ?? scheduling.isPausedUponCreation,
        retired: false,
        tags: definition?.tags ?? [],
        owners: [...new Set(definition?.tasks.map((task) => task.owner))].toSorted(),
        timetable: scheduling.timetable as unknown as Json,
        timezone: scheduling.timezone,
        publishedAt: at,
      };
      const next: DagVersionRow = { dagId, version, number: versions.length + 1, bundle, file, publishedAt: at };
      return { dag, versions: known ? versions : [...versions, next] };
    }
    case 'DagRetired':
      return changed(rows, { retired: true });
    case 'DagPaused':
      return changed(rows, { paused: true });
    case 'DagUnpaused':
      return changed(rows, { paused: false });
    case 'TimetableTold':
    case 'TimetableFailed':
      return rows;
    case 'DagTaken':
    case 'AssetsWatched':
    case 'AssetEventsQueued':
    case 'AssetEventsPassed':
    case 'AssetQueueDeleted':
      return undefined;
    default:
      return assertNever(event, 'event of a DAG');
  }
}

function changed(rows: DagRows | undefined, change: Partial<DagRow>): DagRows | undefined {
  return rows === undefined ? undefined : { ...rows, dag: { ...rows.dag, ...change } };
}
