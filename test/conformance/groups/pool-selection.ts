import {
  Admission,
  poolUsage,
  type Demand,
  type Limit,
  type LimitScope,
  type Pool,
  type TaskState,
} from '@rondo/domain';
import { byPart, fields, Inexpressible, list, number, text, type Case, type Fields, type Finding } from '../case.ts';

interface Instance extends Demand {
  readonly id: string;
  readonly runKey: string;
  readonly limits: readonly Limit[];
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
  const candidates = instances.filter(({ state, mayBeQueued }) => state === 'scheduled' && mayBeQueued);
  const admission = occupied(pools, instances);
  for (const each of candidates) admission.push(each.id, each);
  const taken: Instance[] = [];
  for (const most = number(input['max_tis'], Infinity); taken.length < most;) {
    const next = admission.admit();
    if (next === undefined) break;
    taken.push(next);
  }
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

/** What is queued, runs or is deferred has its place before anything is chosen, in a pool that has shrunk as well. */
function occupied(pools: readonly Pool[], instances: readonly Instance[]): Admission<Instance> {
  const names = new Set([...pools, ...instances.map(({ pool }) => ({ name: pool }))].map(({ name }) => name));
  const endless = [...names].map((name): Pool => ({ name, slots: -1, includeDeferred: false }));
  const admission = new Admission<Instance>(endless, { queue: () => true, executor: () => true });
  for (const each of instances) {
    if (each.state === 'deferred') admission.defer(each.pool, each.poolSlots);
    if (each.state !== 'queued' && each.state !== 'running') continue;
    admission.push(each.id, { ...each, limits: each.limits.map((limit) => ({ ...limit, most: Infinity })) });
    admission.admit();
  }
  for (const name of names)
    admission.setPool(
      name,
      pools.find((pool) => pool.name === name),
    );
  return admission;
}

function instanceOf(given: Fields, input: Fields): Instance {
  const id = text(given['id'], 'id');
  const [runKey, task] = [String(given['run'] ?? ''), String(given['task'] ?? id)];
  const limitOf = (scope: LimitScope, key: string, most: unknown): Limit[] =>
    typeof most === 'number' ? [{ scope, key: `${scope} ${key}`, most }] : [];
  const date = given['logical_date'];
  const mapIndex = number(given['map_index'], -1);
  return {
    id,
    runKey,
    state: (given['state'] ?? 'none') as TaskState,
    mayBeQueued: (given['run_state'] ?? 'running') === 'running' && given['dag_paused'] !== true,
    pool: String(given['pool'] ?? 'default_pool'),
    poolSlots: number(given['pool_slots'], 1),
    queue: 'default',
    priority: number(given['priority_weight'], 1),
    logicalDate: typeof date === 'string' ? Date.parse(/T[\d:.]+$/.test(date) ? `${date}Z` : date) : null,
    mapIndex: mapIndex < 0 ? [] : [mapIndex],
    limits: [
      ...limitOf('run', runKey, number(given['max_active_tasks'] ?? input['max_active_tasks'], 16)),
      ...limitOf('task', task, given['max_active_tis_per_dag']),
      ...limitOf('taskOfRun', `${runKey} ${task}`, given['max_active_tis_per_dagrun']),
    ],
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
