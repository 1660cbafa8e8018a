import type { ApprovalResponse, ApprovalWait, DagDefinition } from '@rondo/domain';
import type { AssetChanges, AssetRow } from './asset-rows.ts';
import type { Position, RecordedEvent, StreamFilter } from './event-store.ts';
import type {
  BackfillDateRow,
  BackfillRow,
  ConnectionRow,
  DagRow,
  DagRunRow,
  DagVersionRow,
  ImportErrorRow,
  PoolRow,
  RenderedFieldsRow,
  TaskInstanceRow,
  TaskTryRow,
  VariableRow,
  XComRow,
} from './read-models.ts';

/** A run's row with what only the projection and its store need. */
export interface RunRecord extends DagRunRow {
  /** Position of the event that asked for the run: its number everywhere in the read models. */
  readonly runNo: Position;
  /** Revisions of the events of `dag-{dagId}` that speak of this run, rising. */
  readonly dagRevisions: readonly number[];
}

/** A task instance's row with what only the projection and its store need. */
export interface InstanceRecord extends TaskInstanceRow {
  /** Place of the task in the definition. */
  readonly ordinal: number;
  readonly retries: number;
  /** An attempt was published and has not been reported ended (I3). */
  readonly open: boolean;
}

/** A question to a person, or the response to one that was written before. */
export interface ApprovalChange {
  readonly taskId: string;
  readonly mapIndex: string;
  readonly tryNumber: number;
  readonly leg: number;
  readonly asked?: { readonly wait: ApprovalWait; readonly at: number; readonly deadline: number | null };
  readonly response?: ApprovalResponse;
}

/** What a batch changed in one run. `dropped` and `forgotten` go first. */
export interface RunChanges {
  readonly runNo: Position;
  readonly run: RunRecord | undefined;
  /** Rows that stood for instances which were not mapped yet. */
  readonly dropped: readonly { readonly taskId: string; readonly mapIndex: string }[];
  readonly tasks: readonly InstanceRecord[];
  readonly tries: readonly TaskTryRow[];
  /** XComs that a new try starts without, or that were deleted by key. */
  readonly forgotten: readonly { readonly taskId: string; readonly mapIndex: string; readonly key?: string }[];
  readonly xcoms: readonly XComRow[];
  readonly rendered: readonly RenderedFieldsRow[];
  readonly approvals: readonly ApprovalChange[];
  /** The run is erased: no row of its XComs and rendered fields stays. */
  readonly isErased: boolean;
  /** The run is archived: of its task instances and what they left no row stays, but those that are given here. */
  readonly isArchived: boolean;
}

/** Rows by key; null deletes. */
export type RowPatch<Row> = ReadonlyMap<string, Row | null>;

/** Everything that a batch of events changed, each row once, as it is after the batch. */
export interface RowChanges extends AssetChanges {
  readonly dags: readonly DagRow[];
  readonly dagVersions: readonly DagVersionRow[];
  readonly runs: readonly RunChanges[];
  readonly backfills: readonly BackfillRow[];
  readonly backfillDates: readonly BackfillDateRow[];
  readonly importErrors: RowPatch<ImportErrorRow>;
  readonly variables: RowPatch<VariableRow>;
  readonly connections: RowPatch<ConnectionRow>;
  readonly pools: RowPatch<PoolRow>;
}

/** Where a projector finds rows that it does not hold in memory, and the definitions of versions. */
export interface RowSource {
  dags(): Promise<readonly DagRow[]>;
  dagVersions(): Promise<readonly DagVersionRow[]>;
  run(dagId: string, runId: string): Promise<RunRecord | undefined>;
  backfill(dagId: string, backfillId: number): Promise<BackfillRow | undefined>;
  assets(): Promise<readonly AssetRow[]>;
  instances(runNo: Position): Promise<readonly InstanceRecord[]>;
  /** The events of the run's own stream up to a position, those that are in an archive too. */
  runEvents(dagId: string, runId: string, upTo: Position): Promise<readonly RecordedEvent[]>;
  /** Undefined when the version's blob is gone: rows then carry what the events alone tell. */
  definition(version: string): Promise<DagDefinition | undefined>;
}

/**
 * Folds batches of the history into row changes. The caller writes them together with the checkpoint before the next
 * batch; when that fails it drops the projector and makes a new one over the rows as they were.
 */
export interface Projector {
  project(events: readonly RecordedEvent[]): Promise<RowChanges>;
}

/** What a module named by a URL gives to the thread that projects: pure code that an adapter runs without knowing it. */
export interface ProjectionModule {
  /** Grows when the same history gives other rows: read models of another version are rebuilt. */
  readonly PROJECTION_VERSION: number;
  readonly PROJECTED_STREAMS: StreamFilter;
  readonly createProjector: (source: RowSource) => Projector;
}
