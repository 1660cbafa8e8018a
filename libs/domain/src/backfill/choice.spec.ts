import { dagDefinition } from '@rondo/testing';
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

describe('chosen tasks', () => {
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
