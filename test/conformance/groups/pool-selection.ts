import { poolUsage, selectForQueue, type Pool, type QueueCandidate, type TaskState } from '@rondo/domain';
import { byPart, fields, Inexpressible, list, number, text, type Case, type Fields, type Finding } from '../case.ts';

interface Instance extends QueueCandidate {
  readonly state: TaskState;
  readonly mayBeQueued: boolean;
}

export function poolSelection({ input, expected }: Case): Finding {
  return input['pool'] === undefined ? selection(input, expected) : usage(input, expected);
}

function usage(input: Fields, expected: unknown): Finding {
  const instances = list(input['states'], 'states').map((state) => ({ state: state as TaskState, poolSlots: 1 }));
  const used = poolUsage(poolOf('p', input['pool']), instances);
  const { open, running, queued, deferred, occupied } = used;
  return byPart(expected, {
    open: () => open,
    running: () => running,
    queued: () => queued,
    deferred: () => deferred,
    occupied: () => occupied,
  });
}

function selection(input: Fields, expected: unknown): Finding {
  const instances = list(input['tis'], 'tis').map((each, i) => instanceOf(fields(each, `tis[${i}]`), input));
  const pools = Object.entries(fields(input['pools'], 'pools')).map(([name, pool]) => poolOf(name, pool));
  const active = instances.filter(({ state }) => state === 'queued' || state === 'running');
  const held = pools.flatMap(({ name, includeDeferred }) => {
    if (!includeDeferred) return [];
    const deferred = instances.filter(({ pool, state }) => pool === name && state === 'deferred');
    return [[name, deferred.reduce((sum, { poolSlots }) => sum + poolSlots, 0)] as const];
  });
  const candidates = instances.filter(({ state, mayBeQueued }) => state === 'scheduled' && mayBeQueued);
  const taken = selectForQueue(candidates, active, {
    pools: new Map(pools.map((pool) => [pool.name, pool])),
    held: new Map(held),
    most: number(input['max_tis'], Infinity),
  });
  const ids = taken.map(({ id }) => id);
  const left = candidates.map(({ id }) => id).filter((id) => !ids.includes(id));
  return byPart(expected, {
    queued: (wanted) => inOrderOf(wanted, ids),
    queued_in_order: () => ids,
    queued_count: () => ids.length,
    stays_scheduled: (wanted) => inOrderOf(wanted, left),
    queued_per_run: (wanted) =>
      Object.fromEntries(
        Object.keys(fields(wanted, 'queued_per_run')).map((run) => [
          run,
          taken.filter(({ runKey }) => runKey === run).length,
        ]),
      ),
  });
}

function instanceOf(given: Fields, input: Fields): Instance {
  const id = text(given['id'], 'id');
  const optional = (key: string, name: string) =>
    typeof given[name] === 'number' ? { [key]: given[name] } : ({} as Record<string, number>);
  const date = given['logical_date'];
  return {
    id,
    state: (given['state'] ?? 'none') as TaskState,
    mayBeQueued: (given['run_state'] ?? 'running') === 'running' && given['dag_paused'] !== true,
    runKey: String(given['run'] ?? ''),
    taskKey: String(given['task'] ?? id),
    pool: String(given['pool'] ?? 'default_pool'),
    poolSlots: number(given['pool_slots'], 1),
    priority: number(given['priority_weight'], 1),
    logicalDate: typeof date === 'string' ? Date.parse(/T[\d:.]+$/.test(date) ? `${date}Z` : date) : null,
    mapIndex: number(given['map_index'], -1),
    maxActiveTasks: number(given['max_active_tasks'] ?? input['max_active_tasks'], 16),
    ...optional('maxActivePerTask', 'max_active_tis_per_dag'),
    ...optional('maxActivePerTaskAndRun', 'max_active_tis_per_dagrun'),
  };
}

function poolOf(name: string, given: unknown): Pool {
  if (typeof given === 'number') return { name, slots: given, includeDeferred: false };
  const { slots, include_deferred: includeDeferred } = fields(given, `pool ${name}`);
  if (typeof slots !== 'number') throw new Inexpressible(`pool ${name} has no slots`);
  return { name, slots, includeDeferred: includeDeferred === true };
}

/** Sets: the same ids compare as equal in any order. */
function inOrderOf(wanted: unknown, ids: readonly string[]): unknown {
  const names = list(wanted, 'ids');
  return names.length === ids.length && names.every((id) => ids.includes(id as string)) ? wanted : ids;
}
