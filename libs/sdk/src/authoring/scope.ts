import type { Dag } from './dag.ts';
import type { TaskGroup } from './task-group.ts';
import type { Task } from './task.ts';

/** Where a task that is constructed now belongs. */
export interface Scope {
  readonly dag: Dag;
  readonly group: TaskGroup | undefined;
  /** The id of a task that is made again, apart from the DAG: an instance of a mapped one with its arguments. */
  readonly apart?: string;
  /** Told of every task that is constructed inside. */
  readonly onTask?: (task: Task<unknown>) => void;
}

const scopes: Scope[] = [];

export const currentScope = (): Scope | undefined => scopes.at(-1);

/** Every scope that is open, outermost first. */
export const openScopes = (): readonly Scope[] => scopes;

/** Runs a synchronous definition inside a scope. */
export function within<T>(scope: Scope, define: () => T): T {
  scopes.push(scope);
  try {
    return define();
  } finally {
    scopes.pop();
  }
}

export function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
