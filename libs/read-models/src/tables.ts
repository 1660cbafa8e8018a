import type { Schema } from './schema.ts';

export type TableName = keyof Schema;

/** A table's columns: those of its primary key, and the rest, in the order in which rows are bound. */
export interface TableShape<Name extends TableName> {
  readonly key: readonly (keyof Schema[Name] & string)[];
  readonly rest: readonly (keyof Schema[Name] & string)[];
}

const instance = ['run_no', 'task_id', 'map_index'] as const;
const times = ['scheduled_at', 'queued_at', 'started_at', 'ended_at', 'worker', 'pid'] as const;

/** The one list of columns: the migration creates them, the writer binds them. */
export const TABLES: { readonly [Name in TableName]: TableShape<Name> } = {
  checkpoint: { key: ['id'], rest: ['position', 'event_position', 'event_id', 'projection_version'] },
  dags: {
    key: ['dag_id'],
    rest: [
      'version',
      'file',
      'description',
      'paused',
      'retired',
      'tags',
      'owners',
      'timetable',
      'timezone',
      'published_at',
    ],
  },
  dag_tags: { key: ['dag_id', 'tag'], rest: [] },
  dag_versions: { key: ['dag_id', 'version'], rest: ['number', 'bundle', 'file', 'published_at'] },
  runs: {
    key: ['run_no'],
    rest: [
      ...(['dag_id', 'run_id', 'run_type', 'state', 'version', 'logical_date', 'data_interval_start'] as const),
      ...(['data_interval_end', 'run_after', 'conf', 'triggered_by', 'note', 'queued_at', 'started_at'] as const),
      ...([
        'ended_at',
        'reason',
        'dag_revisions',
        'note_by',
        'held',
        'priority',
        'backfill_id',
        'partition_key',
        'run_try',
        'sealed_run',
        'erased_at',
        'archive',
        'archive_at',
      ] as const),
    ],
  },
  backfills: {
    key: ['dag_id', 'backfill_id'],
    rest: [
      ...(['state', 'from_date', 'to_date', 'reverse', 'reprocess', 'max_active_runs', 'run_on_latest'] as const),
      ...(['conf', 'only_tasks', 'dates', 'created', 'cleared', 'passed', 'created_at', 'ended_at'] as const),
    ],
  },
  backfill_dates: {
    key: ['dag_id', 'backfill_id', 'ordinal'],
    rest: ['logical_date', 'run_id', 'action', 'reason'],
  },
  task_instances: {
    key: instance,
    rest: [
      ...([
        'map_order',
        'map_index_name',
        'ordinal',
        'state',
        'try_number',
        'max_tries',
        'retries',
        'leg',
        'open',
        'operator',
        'pool',
        'queue',
      ] as const),
      ...times,
      ...(['retry_at', 'reason', 'error', 'held', 'priority', 'note', 'note_by'] as const),
    ],
  },
  task_tries: { key: [...instance, 'try_number'], rest: ['state', 'leg', ...times, 'reason', 'error'] },
  xcoms: { key: [...instance, 'key'], rest: ['map_order', 'value', 'blob'] },
  rendered_fields: { key: [...instance, 'try_number'], rest: ['fields'] },
  approvals: { key: [...instance, 'try_number', 'leg'], rest: ['asked_at', 'deadline', 'wait', 'response'] },
  import_errors: { key: ['file'], rest: ['message', 'line', 'column', 'dag_id', 'task_id', 'stack', 'at'] },
  variables: { key: ['key'], rest: ['sealed', 'description'] },
  connections: { key: ['conn_id'], rest: ['conn_type', 'host', 'port', 'schema', 'login', 'description', 'sealed'] },
  assets: { key: ['name'], rest: ['uri', 'asset_group', 'extra'] },
  asset_events: {
    key: ['name', 'revision'],
    rest: [
      ...(['position', 'uri', 'at', 'extra', 'partition_key', 'aliases', 'source_dag_id', 'source_run_id'] as const),
      ...(['source_task_id', 'source_map_index', 'source_try'] as const),
    ],
  },
  asset_aliases: { key: ['alias', 'name'], rest: ['uri', 'at'] },
  asset_links: { key: ['dag_id', 'use', 'task_id', 'kind', 'name'], rest: [] },
  asset_queue: {
    key: ['dag_id', 'partition_key', 'name', 'from_revision'],
    rest: ['to_revision', 'at', 'position', 'run_no'],
  },
  writer: { key: ['id'], rest: ['generation'] },
  pools: { key: ['name'], rest: ['slots', 'description', 'include_deferred'] },
};
