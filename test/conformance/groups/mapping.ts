import type { AttemptOutcome, Expansion, InstanceState, TaskState } from '@rondo/domain';
import { byPart, fields, Inexpressible, list, number, text, type Case, type Fields, type Finding } from '../case.ts';
import { readDag } from '../dag.ts';
import { productOf, sourcesOf } from '../expansion.ts';
import { Play } from '../play.ts';
import { stateName, taskState } from '../values.ts';
import { mappedValues, nestedMapping, namesOfInstances } from './mapping-values.ts';

/** The id of the one mapped task of a case that gives it none. */
const MAPPED = 'mapped';

export function mapping(c: Case): Finding | Promise<Finding> {
  const { input } = c;
  if ('construct' in input) return nestedMapping(c);
  if ('map_index_template' in input || 'context_set_by_task' in input) return namesOfInstances(c);
  if ('transform' in input || 'transforms' in input || 'zip' in input || 'concat' in input) return mappedValues(c);
  if ('mapped_over' in input) return mappedDependency(c);
  return expansion(c);
}

interface World {
  readonly play: Play;
  /** How many items each source returns. */
  readonly lengths: ReadonlyMap<string, number>;
  readonly results: Fields;
  /** Those of which the case says what they returned. */
  readonly sources: readonly string[];
}

/** What is mapped, how often, and what becomes of it. */
function expansion({ input, expected }: Case): Finding {
  const world = open(input, expected);
  const { play } = world;
  bringTo(world, fields(input['states'] ?? {}, 'states'));
  if (Array.isArray(input['existing']))
    rerun(
      world,
      input['existing'].map((each) => fields(each, 'existing')),
    );
  else if (wantsEnd(expected)) carry(world);
  else finishSources(world);
  const mapped = String(input['task_id'] ?? MAPPED);
  const byId = (wanted: unknown, take: (id: string, state: unknown) => unknown): unknown =>
    Object.fromEntries(
      Object.entries(fields(wanted, 'by id')).map(([id, state]) => [id, take(fullId(play, id), state)]),
    );
  return byPart(expected, {
    map_indexes: () => indexesOf(play, mapped),
    instances: (wanted) =>
      Array.isArray(wanted)
        ? play.instances(mapped).map((inst) => [number(inst.mapIndex[0], -1), stateOf(inst)])
        : byId(wanted, (id) => indexesOf(play, id)),
    final_states: (wanted) =>
      byId(wanted, (id, state) =>
        Array.isArray(state) ? play.instances(id).map(stateOf) : stateOf(play.instance(id)),
      ),
    states: (wanted) => byId(wanted, (id) => play.instances(id).map(stateOf)),
    run_state: () => play.run.state,
    schedulable: () => play.scheduled(),
  });
}

/** An attempt that has not begun is no status: the reference schedules later than it maps. */
const stateOf = ({ state }: InstanceState): string | null => (state === 'scheduled' ? null : stateName(state));

/** A task of the one group may be named without its prefix. */
const fullId = (play: Play, id: string): string =>
  play.dag.graph.indexOf.has(id.replace(/\[.*/, '')) ? id : `${GROUP}.${id}`;

/** -1: not mapped yet. */
const indexesOf = (play: Play, id: string): readonly (number | string)[] =>
  play.instances(id).map(({ mapIndex }) => (mapIndex.length > 1 ? mapIndex.join('.') : number(mapIndex[0], -1)));

const wantsEnd = (expected: unknown): boolean => {
  const wanted = fields(expected, 'expected');
  return 'final_states' in wanted || 'run_state' in wanted;
};

function open(input: Fields, expected: unknown): World {
  const tasks = tasksOf(input);
  const known = new Set(tasks.map((task) => task['id'] ?? task['task_id']));
  const expand = groupsOf(input);
  const outer = Object.values(expand).flatMap(({ over }) =>
    over.flatMap(({ length }) => (length.kind === 'output' ? [length.taskId] : [])),
  );
  const sources = [...new Set([...tasks.flatMap(sourcesOf), ...outer])].filter((id) => !known.has(id));
  const inside = tasks.map((task) =>
    outer.length === 0
      ? task
      : { ...task, upstream: [...new Set([...list(task['upstream'] ?? [], 'upstream'), ...outer])] },
  );
  const dag = readDag({ tasks: [...sources.map((id) => ({ id })), ...inside] });
  const results = fields(input['task_results'] ?? input['results'] ?? {}, 'task_results');
  const play = new Play(dag, { expand });
  const lengths = new Map(dag.graph.nodes.map(({ taskId }) => [taskId, lengthOf(taskId, input, expected, tasks)]));
  const all = [...new Set([...tasks.flatMap(sourcesOf), ...outer])];
  const told = input['upstream_length'] === undefined ? all.filter((id) => id.startsWith(SOURCE_OF)) : all;
  play.decide();
  return { play, lengths, results, sources: told };
}

function tasksOf(input: Fields): readonly Fields[] {
  if (input['dag'] !== undefined)
    return list(fields(input['dag'], 'dag')['tasks'], 'dag.tasks').map((each) => fields(each, 'task'));
  if (input['group_expand'] !== undefined) return list(input['tasks_in_group'], 'tasks_in_group').map(memberOf);
  const { expand, expand_kwargs: kwargs } = input;
  return [
    { id: String(input['task_id'] ?? MAPPED), ...(expand === undefined ? { expand_kwargs: kwargs } : { expand }) },
  ];
}

const GROUP = 'tg';
const SOURCE_OF = 'source_of_';

/** `my_teardown(teardown)<-my_work,my_setup`: a task of the one mapped group. */
function memberOf(value: unknown): Fields {
  const [head = '', upstream] = text(value, 'task in the group').split('<-');
  const [, id = head, kind] = /^([^(]+)(?:\((.+)\))?$/.exec(head.trim()) ?? [];
  return {
    id: `${GROUP}.${id.trim()}`,
    group: GROUP,
    upstream: upstream === undefined ? [] : upstream.split(',').map((each) => `${GROUP}.${each.trim()}`),
    ...(kind === 'setup' ? { setup: true } : kind === 'teardown' ? { teardown: true } : {}),
    ...(kind !== undefined && kind !== 'setup' && kind !== 'teardown' ? { trigger_rule: kind } : {}),
  };
}

function groupsOf(input: Fields): Readonly<Record<string, Expansion>> {
  if (input['group_expand'] === undefined) return {};
  return { [GROUP]: productOf(sourcesNamed(fields(input['group_expand'], 'group_expand'))) };
}

/** `{ xcom_value: [...] }` is what a task of its own returns. */
function sourcesNamed(expand: Fields): Fields {
  const one = ([name, value]: readonly [string, unknown]): readonly [string, unknown] =>
    typeof value === 'object' && value !== null && 'xcom_value' in value
      ? [name, { xcom: `${SOURCE_OF}${name}` }]
      : [name, value];
  return Object.fromEntries(Object.entries(expand).map(one));
}

/** What the case says of how much a source returns: in so many words, or by the instances that it names. */
function lengthOf(id: string, input: Fields, expected: unknown, tasks: readonly Fields[]): number {
  const group = input['group_expand'] === undefined ? {} : fields(input['group_expand'], 'group_expand');
  for (const [name, value] of Object.entries(group))
    if (`${SOURCE_OF}${name}` === id) return list(fields(value, name)['xcom_value'], 'xcom_value').length;
  const xcoms = fields(input['xcoms'] ?? input['xcom'] ?? {}, 'xcoms');
  if (Array.isArray(xcoms[id])) return xcoms[id].length;
  if (input['upstream_length'] !== undefined) return number(input['upstream_length'], 0);
  const mapped = tasks
    .filter((task) => sourcesOf(task).includes(id))
    .map((task) => String(task['id'] ?? task['task_id']));
  const named = JSON.stringify([input['states'], input['task_results'], expected]);
  return Math.max(
    0,
    ...mapped.flatMap((each) =>
      [...named.matchAll(new RegExp(`${each}\\[(\\d+)\\]`, 'g'))].map((m) => Number(m[1]) + 1),
    ),
  );
}

function outcomeOf({ lengths }: World, id: string, state: unknown): AttemptOutcome {
  switch (state) {
    case 'fail':
    case 'failed':
      return { kind: 'failed', error: { kind: 'exception', message: 'as the case says' }, retryable: false };
    case 'skip':
    case 'skipped':
      return { kind: 'skipped', reason: 'as the case says' };
    default: {
      const value = {
        xcoms: { return_value: { value: 1 } },
        lengths: { '[]': lengths.get(id.replace(/\[.*/, '')) ?? 0 },
      };
      return { kind: 'success', ...value };
    }
  }
}

/** Instances come to the states that the case names, those that are mapped once they are there. */
function bringTo(world: World, states: Fields): void {
  const { play } = world;
  for (const [name, given] of Object.entries(states)) {
    const state = taskState(given, `state of ${name}`);
    if (state === 'none') continue;
    if (play.instance(name).state === 'scheduled' && ENDS.has(state)) play.finish(name, outcomeOf(world, name, state));
    else play.put(name, state);
    play.decide();
  }
}

const ENDS: ReadonlySet<TaskState> = new Set<TaskState>(['success', 'failed', 'skipped']);

/** The sources end; what is mapped over them does not begin. */
function finishSources(world: World): void {
  const { play, sources } = world;
  for (const id of sources)
    if (play.instance(id).state === 'scheduled') play.finish(id, outcomeOf(world, id, 'success'));
  play.decide();
}

/** Everything that can run runs, and ends as the case says. */
function carry(world: World): void {
  const { play, results } = world;
  for (let open = play.scheduled(); open.length > 0; open = play.scheduled()) {
    for (const name of open) play.finish(name, outcomeOf(world, name, resultOf(results, name)));
    play.decide();
  }
}

function resultOf(results: Fields, name: string): unknown {
  const task = name.replace(/\[.*/, '');
  const short = (full: string): string => full.replace(`${GROUP}.`, '');
  return results[name] ?? results[short(name)] ?? results[task] ?? results[short(task)];
}

/** The instances that there are came from a run of the source before; now it runs again. */
function rerun(world: World, existing: readonly Fields[]): void {
  const { play, lengths } = world;
  const [source] = play.dag.tasks.flatMap(sourcesOf);
  if (source === undefined) throw new Inexpressible('nothing that the task is mapped over can run again');
  const before = existing.filter((each) => number(each['map_index'], -1) >= 0);
  if (before.length > 0) {
    play.finish(source, outcomeOf({ ...world, lengths: new Map([[source, before.length]]) }, source, 'success'));
    play.decide();
    bringTo(
      world,
      Object.fromEntries(before.map((each) => [`${MAPPED}[${number(each['map_index'], 0)}]`, each['state']])),
    );
    play.clear([source]);
    play.admit();
    play.decide();
  }
  play.finish(source, outcomeOf({ ...world, lengths }, source, 'success'));
  play.decide();
}

/** Whether an instance that is not mapped yet may be, whatever its trigger rule. */
function mappedDependency({ input, expected }: Case): Finding {
  const sources = list(input['mapped_over'], 'mapped_over').map(String);
  const states = list(input['upstream_states'], 'upstream_states');
  const expand = Object.fromEntries(sources.map((id, i) => [`arg${i}`, { xcom: id }]));
  const rule = input['trigger_rule_ignored'] === true ? { trigger_rule: 'always' } : {};
  const task = { id: MAPPED, expand, ...rule };
  const play = new Play(readDag({ tasks: [...sources.map((id) => ({ id })), task] }));
  const world = { play, lengths: new Map(sources.map((id) => [id, 1])), results: {}, sources };
  const given = Object.fromEntries(sources.map((id, i) => [id, states[i]]));
  play.decide();
  for (const [id, state] of Object.entries(given)) {
    if (state === null) continue;
    if (state === 'success') play.finish(id, outcomeOf(world, id, state));
    else play.put(id, taskState(state, id));
  }
  play.decide();
  const instances = play.instances(MAPPED);
  const state = stateOf(instances[0]!);
  return byPart(expected, {
    dep_met: () => state === null && instances.every(({ mapIndex }) => mapIndex.length > 0),
    state: () => state,
  });
}
