import type { Connection } from '@rondo/domain';
import { parseConnection } from './connection-text.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `RONDO_VAR_DATA_DIR` for the variable `data_dir`, else `AIRFLOW_VAR_DATA_DIR`. */
export function variableFromEnvironment(environment: Environment, key: string): string | undefined {
  return environment[environmentName('RONDO_VAR_', key)] ?? environment[environmentName('AIRFLOW_VAR_', key)];
}

/** `RONDO_CONN_WAREHOUSE` for the connection `warehouse`, else `AIRFLOW_CONN_WAREHOUSE`: see `parseConnection`. */
export function connectionFromEnvironment(environment: Environment, connId: string): Connection | undefined {
  for (const prefix of ['RONDO_CONN_', 'AIRFLOW_CONN_']) {
    const name = environmentName(prefix, connId);
    const text = environment[name];
    if (text !== undefined && text.trim() !== '') return parseConnection(connId, text, name);
  }
  return undefined;
}

/** Upper case, with `_` for what a name of the environment cannot hold. */
function environmentName(prefix: string, name: string): string {
  return prefix + name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
}
