import fc from 'fast-check';
import { dagDefinition } from '@rondo/testing';
import { compilePlan } from '../dag-run/index.ts';
import { onlyTasks, resolveChoice, valuesLeftOut } from './choice.ts';

/** a → b → c → d, and a → e. */
const definition = dagDefinition({
  tasks: [
    { id: 'a' },
    { id: 'b', upstream: ['a'], inputs: ['a'] },
    { id: 'c', upstream: ['b'], inputs: ['b'] },
    { id: 'd', upstream: ['c'] },
    { id: 'e', upstream: ['a'] },
  ],
});
const upstreams = (only: readonly string[]): Record<string, readonly string[]> =>
  Object.fromEntries(onlyTasks(definition, only).tasks.map((task) => [task.taskId, task.upstream]));

/** Whether there is a way from each task to each other, found by trying all ways. */
function ways(tasks: readonly { readonly taskId: string; readonly upstream: readonly string[] }[]): Set<string> {
  const found = new Set(tasks.flatMap((task) => task.upstream.map((up) => `${up}>${task.taskId}`)));
  for (const via of tasks)
    for (const from of tasks)
      for (const to of tasks)
        if (found.has(`${from.taskId}>${via.taskId}`) && found.has(`${via.taskId}>${to.taskId}`))
          found.add(`${from.taskId}>${to.taskId}`);
  return found;
}

describe('chosen tasks', () => {
  it('come after one another exactly as they did among all tasks', () => {
    const graphs = fc.record({
      edges: fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 25 }),
      kept: fc.uniqueArray(fc.nat(8), { minLength: 1 }),
    });
    fc.assert(
      fc.property(graphs, ({ edges, kept }) => {
        const tasks = Array.from({ length: 9 }, (_, i) => ({
          id: `t${i}`,
          upstream: [
            ...new Set(edges.flatMap(([a, b]) => (Math.max(a, b) === i && a !== b ? `t${Math.min(a, b)}` : []))),
          ],
        }));
        const only = new Set(kept.map((i) => `t${i}`));
        const all = ways(tasks.map(({ id, upstream }) => ({ taskId: id, upstream })));
        const left = onlyTasks(dagDefinition({ tasks }), [...only]).tasks;
        const among = [...all].filter((way) => way.split('>').every((id) => only.has(id)));
        expect([...ways(left)].sort()).toEqual(among.sort());
      }),
      { numRuns: 200 },
    );
  });

  it('come with what is above them if asked for, and with their setups and teardowns', () => {
    expect(resolveChoice(definition, { taskIds: ['c'] })).toEqual({ ok: true, value: ['c'] });
    expect(resolveChoice(definition, { taskIds: ['c'], includeUpstream: true })).toEqual({
      ok: true,
      value: ['a', 'b', 'c'],
    });
    const scoped = dagDefinition({
      tasks: [
        { id: 'up', setup: true },
        { id: 'w', upstream: ['up'] },
        { id: 'down', teardown: true, upstream: ['up', 'w'] },
        { id: 'z', upstream: ['w'] },
      ],
    });
    expect(resolveChoice(scoped, { taskIds: ['w'] })).toEqual({ ok: true, value: ['up', 'w', 'down'] });
  });

  it('that do not exist are refused, with those that do', () => {
    expect(resolveChoice(definition, { taskIds: ['x', 'a'] })).toEqual({
      ok: false,
      error: "DAG 'dag' has no task 'x'; its tasks are a, b, c, d, e",
    });
    expect(resolveChoice(definition, { taskIds: [] })).toMatchObject({ ok: false });
  });

  it('keep the order that they had by way of tasks that are left out', () => {
    expect(upstreams(['a', 'c', 'd'])).toEqual({ a: [], c: ['a'], d: ['c'] });
    expect(upstreams(['a', 'd', 'e'])).toEqual({ a: [], d: ['a'], e: ['a'] });
    expect(upstreams(['d', 'gone'])).toEqual({ d: [] });
  });

  it('have no groups and no fallbacks that are not there', () => {
    const grouped = dagDefinition({
      tasks: [
        { id: 'main', fallback: 'spare' },
        { id: 'spare' },
        { id: 'in', group: 'inner', upstream: ['main'] },
        { id: 'out', group: 'alone' },
      ],
      groups: [
        { groupId: 'outer', retries: 2 },
        { groupId: 'inner', parent: 'outer', fallback: 'alone' },
        { groupId: 'alone', retries: 1 },
      ],
    });
    const left = onlyTasks(grouped, ['main', 'in']);
    expect(left.groups).toEqual([
      { groupId: 'outer', retries: 2 },
      { groupId: 'inner', parent: 'outer' },
    ]);
    expect(left.tasks[0]).not.toHaveProperty('fallback');
    expect(compilePlan('v', left).tasks).toHaveLength(2);
    const whole = onlyTasks(grouped, ['main', 'spare', 'in', 'out']);
    expect(whole).toEqual(grouped);
  });

  it('take values of nothing that is not there', () => {
    expect(valuesLeftOut(definition, ['c', 'd'])).toEqual(['b']);
    expect(valuesLeftOut(definition, ['d', 'e'])).toEqual([]);
    expect(onlyTasks(definition, ['c']).tasks[0]!.inputs).toEqual([]);
  });

  it('are mapped over values of what is left out, groups around them included', () => {
    const over = (taskId: string) =>
      ({ kind: 'product', over: [{ name: 'x', length: { kind: 'output', taskId, path: [] } }] }) as const;
    const mapped = dagDefinition({
      tasks: [{ id: 'list' }, { id: 'rows' }, { id: 'each', upstream: ['list'], expand: over('list'), group: 'inner' }],
      groups: [
        { groupId: 'outer', expand: over('rows') },
        { groupId: 'inner', parent: 'outer' },
      ],
    });
    expect(valuesLeftOut(mapped, ['each'])).toEqual(['list', 'rows']);
  });
});
