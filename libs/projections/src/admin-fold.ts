import type { ConnectionEvent, ImportEvent, PoolEvent, VariableEvent } from '@rondo/domain';
import { assertNever, type Json } from '@rondo/kernel';
import type { ConnectionRow, ImportErrorRow, PoolRow, VariableRow } from '@rondo/ports';

/** One row and its key; null: the row is gone. */
export type Keyed<Row> = readonly [key: string, row: Row | null];

export function variableRow(event: VariableEvent): Keyed<VariableRow> {
  switch (event.type) {
    case 'VariableSet': {
      const { key, value, description } = event.data;
      return [key, { key, sealed: value as unknown as Json, description: description ?? null }];
    }
    case 'VariableDeleted':
      return [event.data.key, null];
    default:
      return assertNever(event, 'event of a variable');
  }
}

export function connectionRow(event: ConnectionEvent): Keyed<ConnectionRow> {
  switch (event.type) {
    case 'ConnectionSet': {
      const { connId, connType, host, port, schema, login, description, sealed } = event.data;
      const row = {
        connId,
        connType,
        host: host ?? null,
        port: port ?? null,
        schema: schema ?? null,
        login: login ?? null,
        description: description ?? null,
        sealed: sealed as unknown as Json,
      };
      return [connId, row];
    }
    case 'ConnectionDeleted':
      return [event.data.connId, null];
    default:
      return assertNever(event, 'event of a connection');
  }
}

export function poolRow(event: PoolEvent): Keyed<PoolRow> {
  switch (event.type) {
    case 'PoolSet': {
      const { name, slots, description, includeDeferred } = event.data;
      return [name, { name, slots, description: description ?? null, includeDeferred }];
    }
    case 'PoolDeleted':
      return [event.data.name, null];
    default:
      return assertNever(event, 'event of a pool');
  }
}

/** A file has one row, all messages of its last failure with the place of the first, until it loads or is gone. */
export function importErrorRow(event: ImportEvent, at: number): Keyed<ImportErrorRow> {
  switch (event.type) {
    case 'DagFileFailed': {
      const { file, failures } = event.data;
      const { line, column, dagId, taskId, stack } = failures[0] ?? {};
      const row = {
        file,
        message: failures.map((f) => f.message).join('\n'),
        line: line ?? null,
        column: column ?? null,
        dagId: dagId ?? null,
        taskId: taskId ?? null,
        stack: stack ?? null,
        at,
      };
      return [file, row];
    }
    case 'DagFileLoaded':
    case 'DagFileRemoved':
      return [event.data.file, null];
    default:
      return assertNever(event, 'event of a DAG file');
  }
}
