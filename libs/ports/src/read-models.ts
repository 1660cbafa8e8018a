import type {
  ApprovalResponse,
  BackfillStand,
  InstanceRef,
  ParamDefinition,
  PassReason,
  Reprocess,
  RunState,
  RunType,
  TaskError,
  TaskState,
} from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type {
  AssetAliasRow,
  AssetEventFilter,
  AssetEventRow,
  AssetFilter,
  AssetLinkRow,
  AssetRow,
  QueuedAssetRow,
} from './asset-rows.ts';
import type { Position } from './event-store.ts';

/** Rows of the read models: what the API serves. Times are epoch milliseconds; null means not yet, or none. */
export interface DagRow {
  readonly dagId: string;
  readonly version: string;
  readonly file: string;
  readonly description: string | null;
  readonly paused: boolean;
  readonly retired: boolean;
  readonly tags: readonly string[];
  readonly owners: readonly string[];
  readonly timetable: Json;
  readonly timezone: string;
  readonly publishedAt: number;
}

export interface DagVersionRow {
  readonly dagId: string;
  readonly version: string;
  /** From 1. */
  readonly number: number;
  readonly bundle: string;
  readonly file: string;
  readonly publishedAt: number;
}

export interface DagRunRow {
  readonly dagId: string;
  readonly runId: string;
  readonly runType: RunType;
  readonly state: RunState;
  readonly version: string | null;
  readonly logicalDate: number | null;
  readonly dataIntervalStart: number | null;
  readonly dataIntervalEnd: number | null;
  readonly runAfter: number;
  readonly conf: Json;
  readonly triggeredBy: string;
  readonly note: string | null;
  /** Who wrote the note; null for one that came with the request. */
  readonly noteBy: string | null;
  readonly held: boolean;
  /** Its own, in place of its DAG's. */
  readonly priority: number | null;
  readonly queuedAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** From 1; grows when a run that failed is tried again. */
  readonly tryNumber: number;
  /** Why it ended as it did: `all_tasks_deadlocked`, `task_failure`, `timed_out`, `cancelled`, `marked` … */
  readonly reason: string | null;
  /** The backfill of its DAG that it is a run of. */
  readonly backfillId: number | null;
  /** The part of its assets that it is about. */
  readonly partitionKey: string | null;
  /** What people have put into it is sealed with a key of its own (I14). */
  readonly sealed: boolean;
  /** When that key was deleted. */
  readonly erasedAt: number | null;
  /** `archived`: there are no rows of its tasks; `restored`: there are again. Null: it never was. */
  readonly archive: 'archiving' | 'archived' | 'restored' | null;
  /** Since when. */
  readonly archiveAt: number | null;
}

/** A backfill and how far it has come. */
export interface BackfillRow {
  readonly dagId: string;
  /** From 1 in its DAG. */
  readonly backfillId: number;
  readonly state: BackfillStand;
  /** Bounds of its dates, both inclusive. */
  readonly from: number;
  readonly to: number;
  readonly reverse: boolean;
  readonly reprocess: Reprocess;
  readonly maxActiveRuns: number;
  readonly runOnLatestVersion: boolean;
  readonly conf: Json;
  /** The tasks that its runs consist of; null: all. */
  readonly only: readonly string[] | null;
  /** How many dates it has; how many of them got a new run, had theirs run again, or were passed over so far. */
  readonly dates: number;
  readonly created: number;
  readonly cleared: number;
  readonly passed: number;
  readonly createdAt: number;
  readonly endedAt: number | null;
}

/** A date that a backfill has taken. */
export interface BackfillDateRow {
  readonly dagId: string;
  readonly backfillId: number;
  /** From 1, in the order of the backfill. */
  readonly ordinal: number;
  readonly logicalDate: number | null;
  readonly runId: string | null;
  readonly action: 'create' | 'clear' | 'pass';
  /** Why it was passed over. */
  readonly reason: PassReason | null;
}

export interface TaskInstanceRow {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  /** `''` for a task that is not mapped, else `3`, `2.5`. */
  readonly mapIndex: string;
  /** What its `mapIndexTemplate` came to in its last attempt. */
  readonly mapIndexName: string | null;
  readonly state: TaskState;
  readonly tryNumber: number;
  /** The last try number after which a failure is retried: `retries`, after a clear `tryNumber + retries`. */
  readonly maxTries: number;
  readonly leg: number;
  readonly operator: string;
  readonly pool: string;
  readonly queue: string;
  readonly scheduledAt: number | null;
  readonly queuedAt: number | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly worker: string | null;
  readonly pid: number | null;
  readonly retryAt: number | null;
  readonly reason: string | null;
  readonly error: TaskError | null;
  readonly held: boolean;
  /** Set by hand; null: that of its task. */
  readonly priority: number | null;
  readonly note: string | null;
  readonly noteBy: string | null;
}

/** An earlier try, kept when the instance goes on to the next. */
export interface TaskTryRow extends Omit<
  TaskInstanceRow,
  'maxTries' | 'mapIndexName' | 'retryAt' | 'operator' | 'pool' | 'queue' | 'held' | 'priority' | 'note' | 'noteBy'
> {}

export interface XComRow {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: string;
  readonly key: string;
  /** The value, or null with `blob` for a large one. */
  readonly value: Json;
  readonly blob: string | null;
}

/** A question that a task asks of people: open while the task waits for it, closed when the task was ended otherwise. */
export interface ApprovalRow {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: string;
  readonly tryNumber: number;
  readonly leg: number;
  readonly state: ApprovalState;
  readonly subject: string;
  readonly body: string | null;
  readonly options: readonly string[];
  readonly multiple: boolean;
  readonly defaults: readonly string[] | null;
  readonly params: Readonly<Record<string, ParamDefinition>>;
  readonly assignees: readonly string[] | null;
  readonly askedAt: number;
  readonly deadline: number | null;
  readonly response: ApprovalResponse | null;
}

export const APPROVAL_STATES = ['open', 'answered', 'timed_out', 'closed'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

export interface ApprovalFilter {
  readonly dagId?: string;
  readonly runId?: string;
  readonly taskId?: string;
  readonly mapIndex?: string;
  readonly state?: readonly ApprovalState[];
  /** Those that this user may answer. */
  readonly assignee?: string;
}

export type XComName = Pick<XComRow, 'taskId' | 'mapIndex' | 'key'>;

export interface RenderedFieldsRow extends InstanceRef {
  readonly tryNumber: number;
  readonly fields: Readonly<Record<string, Json>>;
}

export interface ImportErrorRow {
  readonly file: string;
  readonly message: string;
  readonly line: number | null;
  readonly column: number | null;
  readonly dagId: string | null;
  readonly taskId: string | null;
  readonly stack: string | null;
  readonly at: number;
}

export interface VariableRow {
  readonly key: string;
  readonly sealed: Json;
  readonly description: string | null;
}

export interface PoolRow {
  readonly name: string;
  /** -1: no limit. */
  readonly slots: number;
  readonly description: string | null;
  readonly includeDeferred: boolean;
}

export interface ConnectionRow {
  readonly connId: string;
  readonly connType: string;
  readonly host: string | null;
  readonly port: number | null;
  readonly schema: string | null;
  readonly login: string | null;
  readonly description: string | null;
  readonly sealed: Json;
}

export interface Page {
  readonly offset: number;
  /** 1 to 1000. */
  readonly limit: number;
}

export interface Paged<T> {
  readonly items: readonly T[];
  readonly total: number;
}

export interface RunFilter {
  readonly dagId?: string;
  readonly state?: readonly RunState[];
  readonly runType?: readonly RunType[];
  readonly backfillId?: number;
  readonly logicalDateGte?: number;
  readonly logicalDateLte?: number;
  readonly runAfterGte?: number;
  readonly runAfterLte?: number;
  /** Null: that never were archived. */
  readonly archive?: DagRunRow['archive'];
  /** Before this time; of those `archiveAt`. */
  readonly endedBefore?: number;
  readonly archiveBefore?: number;
  readonly sealed?: boolean;
  /** Only runs that had been asked for by this position. */
  readonly requestedBy?: Position;
  /** Default `-runAfter`; a leading `-` is descending. */
  readonly orderBy?:
    | 'runAfter'
    | '-runAfter'
    | 'startedAt'
    | '-startedAt'
    | 'endedAt'
    | '-endedAt'
    | 'runId'
    | '-runId';
}

export interface TaskFilter {
  readonly dagId?: string;
  readonly runId?: string;
  readonly taskId?: string;
  readonly state?: readonly TaskState[];
  /** Instances whose map index begins so: `2` for `2`, `2.0`, `2.1` … */
  readonly under?: string;
  /** Instances whose name has this in it, in either case. */
  readonly name?: string;
}

export interface XComsUnder {
  readonly taskId?: string;
  readonly key?: string;
  readonly under: string;
}

export interface DagFilter {
  readonly dagIdPattern?: string;
  readonly tag?: string;
  readonly paused?: boolean;
  /** Default false: retired DAGs are left out. */
  readonly includeRetired?: boolean;
}

/** Queries. Each sees one consistent state; `settled(position)` waits until it includes the position. */
export interface ReadModels {
  dags(filter: DagFilter, page: Page): Promise<Paged<DagRow>>;
  dag(dagId: string): Promise<DagRow | undefined>;
  dagVersions(dagId: string): Promise<readonly DagVersionRow[]>;
  runs(filter: RunFilter, page: Page): Promise<Paged<DagRunRow>>;
  run(dagId: string, runId: string): Promise<DagRunRow | undefined>;
  /** Revisions of the events of `dag-{dagId}` that speak of the run, rising; none for a run that does not exist. */
  dagRevisions(dagId: string, runId: string): Promise<readonly number[]>;
  taskInstances(filter: TaskFilter, page: Page): Promise<Paged<TaskInstanceRow>>;
  taskInstance(dagId: string, runId: string, taskId: string, mapIndex: string): Promise<TaskInstanceRow | undefined>;
  tries(dagId: string, runId: string, taskId: string, mapIndex: string): Promise<readonly TaskTryRow[]>;
  xcoms(dagId: string, runId: string, taskId?: string, mapIndex?: string): Promise<readonly XComRow[]>;
  /** The XCom of the last run that has one, of this and those before it by logical date, or where there is none by when they began. */
  priorXCom(dagId: string, runId: string, name: XComName): Promise<XComRow | undefined>;
  /** XComs of a run, by task, map index and key; `under`: of instances whose map index begins so (`''`: all). */
  xcomsUnder(dagId: string, runId: string, query: XComsUnder, page: Page): Promise<Paged<XComRow>>;
  /** The last run, by logical date, before this one that succeeded; undefined too for a run without a date. */
  previousSuccess(dagId: string, runId: string): Promise<DagRunRow | undefined>;
  renderedFields(
    dagId: string,
    runId: string,
    taskId: string,
    mapIndex: string,
    tryNumber: number,
  ): Promise<RenderedFieldsRow | undefined>;
  /** The newest first; of one DAG, or of all. */
  backfills(filter: { readonly dagId?: string; readonly open?: boolean }, page: Page): Promise<Paged<BackfillRow>>;
  backfill(dagId: string, backfillId: number): Promise<BackfillRow | undefined>;
  backfillDates(dagId: string, backfillId: number, page: Page): Promise<Paged<BackfillDateRow>>;
  /** The latest asked first. */
  approvals(filter: ApprovalFilter, page: Page): Promise<Paged<ApprovalRow>>;
  assets(filter: AssetFilter, page: Page): Promise<Paged<AssetRow>>;
  asset(name: string): Promise<AssetRow | undefined>;
  /** The assets that an alias, or any, has come to stand for. */
  assetAliases(alias?: string): Promise<readonly AssetAliasRow[]>;
  /** Who makes, uses and waits for assets: of one DAG, or by the name of an asset or alias, or the URI of a reference. */
  assetLinks(filter: { readonly dagId?: string; readonly name?: string }): Promise<readonly AssetLinkRow[]>;
  assetEvents(filter: AssetEventFilter, page: Page): Promise<Paged<AssetEventRow>>;
  /** Events that wait for a run, in order. */
  queuedAssets(filter: { readonly dagId?: string; readonly name?: string }): Promise<readonly QueuedAssetRow[]>;
  importErrors(): Promise<readonly ImportErrorRow[]>;
  variables(page: Page): Promise<Paged<VariableRow>>;
  variable(key: string): Promise<VariableRow | undefined>;
  connections(page: Page): Promise<Paged<ConnectionRow>>;
  connection(connId: string): Promise<ConnectionRow | undefined>;
  /** Those that were set, by name: the default pool may have no row. */
  pools(): Promise<readonly PoolRow[]>;
  pool(name: string): Promise<PoolRow | undefined>;
  /** The position up to which the rows are complete. */
  position(): Promise<Position>;
  /** Resolves once `position()` has reached it; rejects after `timeoutMs` (default 10,000). */
  settled(position: Position, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}
