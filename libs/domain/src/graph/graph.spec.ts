import { clearSelection } from './clear.ts';
import { compileGraph, taskIds, type GraphGroup, type GraphNode, type TaskGraph } from './graph.ts';
import { effectiveLeaves, indirectSetups, relevantSetups } from './setups.ts';
import { branchSkips, branchTargets, groupRoots, shortCircuitSkips, skipsOf } from './skips.ts';
import { validateGraph } from './validate.ts';

function graphOf(nodes: readonly GraphNode[], groups?: readonly GraphGroup[]): TaskGraph {
  const compiled = compileGraph(nodes, groups);
  if (!compiled.ok) throw new Error(compiled.error.message);
  return compiled.value;
}

/** `'a>b'`: b after a; `'s:setup'`, `'t:teardown'`, `'t:teardown!'` (fails the run). */
function dag(...lines: readonly string[]): TaskGraph {
  const nodes = new Map<string, GraphNode & { upstream: string[] }>();
  const node = (id: string): { upstream: string[] } => {
    if (!nodes.has(id)) nodes.set(id, { taskId: id, upstream: [] });
    return nodes.get(id)!;
  };
  for (const line of lines) {
    const [id, kind] = line.split(':');
    const chain = id!.split('>');
    for (const [i, part] of chain.entries())
      if (i > 0) node(part).upstream.push(chain[i - 1]!);
      else node(part);
    if (kind === 'setup') Object.assign(node(id!), { setup: true });
    if (kind?.startsWith('teardown') === true)
      Object.assign(node(id!), {
        teardown: true,
        onFailureFailDagrun: kind.endsWith('!'),
        triggerRule: 'all_done_setup_success',
      });
  }
  return graphOf([...nodes.values()]);
}

const at = (graph: TaskGraph, id: string): number => graph.indexOf.get(id)!;
const ids = (graph: TaskGraph, indexes: Iterable<number>): string[] => taskIds(graph, indexes).sort();

describe('compiling a graph', () => {
  it('refuses ids given twice, unknown ids and cycles, each with its place', () => {
    expect(
      compileGraph([
        { taskId: 'a', upstream: [] },
        { taskId: 'a', upstream: [] },
      ]),
    ).toMatchObject({ error: { kind: 'duplicate_task', taskId: 'a' } });
    expect(compileGraph([{ taskId: 'a', upstream: ['b'] }])).toMatchObject({
      error: { kind: 'unknown_upstream', taskId: 'a', upstream: 'b' },
    });
    expect(compileGraph([{ taskId: 'a', upstream: ['a'] }])).toMatchObject({
      error: { kind: 'cycle', path: ['a', 'a'] },
    });
  });

  it('prints a cycle as a path along the edges, without what only hangs on it', () => {
    const nodes = [
      { taskId: 'tail', upstream: ['c'] },
      { taskId: 'a', upstream: ['start', 'c'] },
      { taskId: 'b', upstream: ['a'] },
      { taskId: 'c', upstream: ['b'] },
      { taskId: 'start', upstream: [] },
    ];
    const compiled = compileGraph(nodes);
    if (compiled.ok || compiled.error.kind !== 'cycle') throw new Error('no cycle');
    expect(compiled.error.message).toBe('the tasks form a cycle: c -> a -> b -> c');
  });

  it('keeps an edge that is given twice once', () => {
    const graph = graphOf([
      { taskId: 'a', upstream: [] },
      { taskId: 'b', upstream: ['a', 'a'] },
    ]);
    expect([...graph.upstream[1]!]).toEqual([0]);
    expect([...graph.downstream[0]!]).toEqual([1]);
  });
});

describe('setups and teardowns', () => {
  const nested = dag(
    's1>w1>t1',
    's1>t1',
    's1>s2>w2>w3>t2',
    's2>t2',
    's1:setup',
    's2:setup',
    't1:teardown',
    't2:teardown',
  );

  it('a task works under the setups whose teardown is after it', () => {
    expect(ids(nested, relevantSetups(nested, at(nested, 'w3')))).toEqual(['s2']);
    expect(ids(nested, relevantSetups(nested, at(nested, 'w1')))).toEqual(['s1']);
    const bare = dag('s>a>b', 's:setup');
    expect(ids(bare, relevantSetups(bare, at(bare, 'b')))).toEqual(['s']);
  });

  it('indirect ones are those further up, for work only', () => {
    const setups = indirectSetups(nested);
    expect(ids(nested, setups[at(nested, 'w3')]!)).toEqual(['s2']);
    expect(setups[at(nested, 'w2')]).toEqual([]);
    expect(setups[at(nested, 't2')]).toEqual([]);
  });

  it('teardowns that may fail do not decide the run', () => {
    const graph = dag('w>t1>t2', 't1:teardown!', 't2:teardown');
    expect(ids(graph, effectiveLeaves(graph))).toEqual(['t1']);
  });
});

describe('what a clear takes along', () => {
  const graph = dag('s1>w1>w2>w3>t1>w4', 's1>t1', 's1:setup', 't1:teardown');
  const cleared = (id: string, scope = {}): string[] => ids(graph, clearSelection(graph, [at(graph, id)], scope));

  it('work takes its setups and their teardowns, a setup its teardowns, a teardown nothing', () => {
    expect(cleared('w2')).toEqual(['s1', 't1', 'w2']);
    expect(cleared('s1')).toEqual(['s1', 't1']);
    expect(cleared('t1')).toEqual(['t1']);
    expect(cleared('w4')).toEqual(['w4']);
    expect(cleared('w2', { downstream: true })).toEqual(['s1', 't1', 'w2', 'w3', 'w4']);
    expect(cleared('w2', { upstream: true })).toEqual(['s1', 't1', 'w1', 'w2']);
  });
});

describe('branches and short circuits', () => {
  const grouped = graphOf(
    [
      { taskId: 'b', upstream: [] },
      { taskId: 'g.x', upstream: ['b'], group: 'g' },
      { taskId: 'g.i.y', upstream: ['g.x'], group: 'g.i' },
      { taskId: 'g.i.z', upstream: ['b'], group: 'g.i' },
      { taskId: 'other', upstream: ['b'] },
      { taskId: 'join', upstream: ['b', 'g.i.y', 'other'] },
    ],
    [{ groupId: 'g' }, { groupId: 'g.i', parent: 'g' }],
  );

  it('a group stands for its roots', () => {
    expect(ids(grouped, groupRoots(grouped, 'g'))).toEqual(['g.i.z', 'g.x']);
    expect(branchTargets(grouped, ['g', 'other'])).toEqual({ ok: true, value: ['g.x', 'g.i.z', 'other'] });
  });

  it('a branch skips what is directly after it and not reached otherwise', () => {
    expect(ids(grouped, branchSkips(grouped, 0, ['g.x']))).toEqual(['g.i.z', 'other']);
    expect(ids(grouped, branchSkips(grouped, 0, []))).toEqual(['g.i.z', 'g.x', 'join', 'other']);
  });

  it.each([
    [42, 'must be either None, a task ID, or an Iterable of IDs, but got number 42'],
    [[1], 'must be either None, a task ID, or an Iterable of IDs'],
    [{}, 'but got object {}'],
    ['nowhere', 'must contain only valid task_ids. Invalid tasks found: nowhere'],
  ])('a branch that returns %j is refused', (returned, message) => {
    const targets = branchTargets(grouped, returned);
    expect(targets.ok ? '' : targets.error).toContain(message);
  });

  it('nothing returned follows nothing', () => {
    for (const nothing of [null, undefined, []])
      expect(branchTargets(grouped, nothing)).toEqual({ ok: true, value: [] });
  });

  it('a short circuit skips everything after it but teardowns, or only what is directly after it', () => {
    const graph = dag('c>a>b>t', 't:teardown');
    expect(ids(graph, shortCircuitSkips(graph, 0))).toEqual(['a', 'b']);
    expect(ids(graph, skipsOf(graph, 0, { kind: 'shortCircuit', ignoreDownstreamTriggerRules: false }))).toEqual(['a']);
  });
});

describe('trigger rules that a place does not allow', () => {
  it('are those other than all_success after a setup or in a DAG that fails fast', () => {
    const graph = graphOf([
      { taskId: 's', upstream: [], setup: true },
      { taskId: 'w', upstream: ['s'], triggerRule: 'all_done' },
      { taskId: 't', upstream: ['s', 'w'], teardown: true, triggerRule: 'all_done_setup_success' },
      { taskId: 'x', upstream: ['w'], triggerRule: 'one_failed' },
    ]);
    expect(validateGraph(graph).map((problem) => problem.taskId)).toEqual(['w']);
    expect(validateGraph(graph, { failFast: true }).map((problem) => problem.taskId)).toEqual(['w', 'w', 'x']);
  });
});
