import type { BackfillStand, PassReason, Reprocess, RunState, RunType, TaskState } from '@rondo/domain';

/** JSON as text; truth as 0 or 1; times in epoch milliseconds. A run is known by the position of its request. */
export interface Schema {
  checkpoint: CheckpointTable;
  writer: WriterTable;
  dags: DagsTable;
  dag_tags: { dag_id: string; tag: string };
  dag_versions: DagVersionsTable;
  runs: RunsTable;
  backfills: BackfillsTable;
  backfill_dates: BackfillDatesTable;
  task_instances: TaskInstancesTable;
  task_tries: TaskTriesTable;
  xcoms: XComsTable;
  rendered_fields: RenderedFieldsTable;
  approvals: ApprovalsTable;
  import_errors: ImportErrorsTable;
  variables: VariablesTable;
  connections: ConnectionsTable;
  pools: PoolsTable;
  assets: AssetsTable;
  asset_events: AssetEventsTable;
  asset_aliases: AssetAliasesTable;
  asset_links: AssetLinksTable;
  asset_queue: AssetQueueTable;
}

export interface AssetsTable {
  name: string;
  uri: string;
  asset_group: string;
  extra: string;
}

export interface AssetEventsTable {
  name: string;
  revision: number;
  position: number;
  uri: string;
  at: number;
  extra: string;
  partition_key: string | null;
  aliases: string;
  source_dag_id: string | null;
  source_run_id: string | null;
  source_task_id: string | null;
  source_map_index: string | null;
  source_try: number | null;
}

export interface AssetAliasesTable {
  alias: string;
  name: string;
  uri: string;
  at: number;
}

export interface AssetLinksTable {
  dag_id: string;
  use: 'schedule' | 'outlet' | 'inlet';
  task_id: string;
  kind: 'asset' | 'alias' | 'uri';
  name: string;
}

/** `run_no`: the run that consumed them; null while they wait. */
export interface AssetQueueTable {
  dag_id: string;
  partition_key: string;
  name: string;
  from_revision: number;
  to_revision: number;
  at: number;
  position: number;
  run_no: number | null;
}

export interface CheckpointTable {
  id: 1;
  position: number;
  /** The last event that was folded: another history has another. */
  event_position: number;
  event_id: string;
  projection_version: number;
}

/** Who may write, where several processes could: whoever counted it up last. */
export interface WriterTable {
  id: 1;
  generation: number;
}

export interface DagsTable {
  dag_id: string;
  version: string;
  file: string;
  description: string | null;
  paused: number;
  retired: number;
  tags: string;
  owners: string;
  timetable: string;
  timezone: string;
  published_at: number;
}

export interface DagVersionsTable {
  dag_id: string;
  version: string;
  number: number;
  bundle: string;
  file: string;
  published_at: number;
}

export interface RunsTable {
  run_no: number;
  dag_id: string;
  run_id: string;
  run_type: RunType;
  state: RunState;
  version: string | null;
  logical_date: number | null;
  data_interval_start: number | null;
  data_interval_end: number | null;
  run_after: number;
  conf: string;
  triggered_by: string;
  note: string | null;
  note_by: string | null;
  held: number;
  priority: number | null;
  queued_at: number;
  started_at: number | null;
  ended_at: number | null;
  reason: string | null;
  backfill_id: number | null;
  partition_key: string | null;
  run_try: number;
  /** Null in a row of a release that had no sealed runs. */
  sealed_run: number | null;
  erased_at: number | null;
  archive: 'archiving' | 'archived' | 'restored' | null;
  archive_at: number | null;
  dag_revisions: string;
}

export interface BackfillsTable {
  dag_id: string;
  backfill_id: number;
  state: BackfillStand;
  from_date: number;
  to_date: number;
  reverse: number;
  reprocess: Reprocess;
  max_active_runs: number;
  run_on_latest: number;
  conf: string;
  only_tasks: string | null;
  dates: number;
  created: number;
  cleared: number;
  passed: number;
  created_at: number;
  ended_at: number | null;
}

export interface BackfillDatesTable {
  dag_id: string;
  backfill_id: number;
  ordinal: number;
  logical_date: number | null;
  run_id: string | null;
  action: 'create' | 'clear' | 'pass';
  reason: PassReason | null;
}

export interface TaskInstancesTable {
  run_no: number;
  task_id: string;
  map_index: string;
  map_order: string;
  map_index_name: string | null;
  ordinal: number;
  state: TaskState;
  try_number: number;
  max_tries: number;
  retries: number;
  leg: number;
  open: number;
  operator: string;
  pool: string;
  queue: string;
  scheduled_at: number | null;
  queued_at: number | null;
  started_at: number | null;
  ended_at: number | null;
  worker: string | null;
  pid: number | null;
  retry_at: number | null;
  reason: string | null;
  error: string | null;
  held: number;
  priority: number | null;
  note: string | null;
  note_by: string | null;
}

export interface TaskTriesTable {
  run_no: number;
  task_id: string;
  map_index: string;
  try_number: number;
  state: TaskState;
  leg: number;
  scheduled_at: number | null;
  queued_at: number | null;
  started_at: number | null;
  ended_at: number | null;
  worker: string | null;
  pid: number | null;
  reason: string | null;
  error: string | null;
}

export interface XComsTable {
  run_no: number;
  task_id: string;
  map_index: string;
  key: string;
  map_order: string;
  value: string;
  blob: string | null;
}

export interface RenderedFieldsTable {
  run_no: number;
  task_id: string;
  map_index: string;
  try_number: number;
  fields: string;
}

export interface ApprovalsTable {
  run_no: number;
  task_id: string;
  map_index: string;
  try_number: number;
  leg: number;
  asked_at: number;
  deadline: number | null;
  wait: string;
  response: string | null;
}

export interface ImportErrorsTable {
  file: string;
  message: string;
  line: number | null;
  column: number | null;
  dag_id: string | null;
  task_id: string | null;
  stack: string | null;
  at: number;
}

export interface VariablesTable {
  key: string;
  sealed: string;
  description: string | null;
}

export interface ConnectionsTable {
  conn_id: string;
  conn_type: string;
  host: string | null;
  port: number | null;
  schema: string | null;
  login: string | null;
  description: string | null;
  sealed: string;
}

export interface PoolsTable {
  name: string;
  slots: number;
  description: string | null;
  include_deferred: number;
}
