import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AdminService } from '@rondo/application';
import type { DagCommand } from '@rondo/contracts';
import type { DagDefinition } from '@rondo/domain';
import type { EventStore, SecretBox } from '@rondo/ports';
import { aDefinition, aTask, memoryEventStore } from '@rondo/testing';
import { Node } from './harness.ts';

const nodes: Node[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.crash();
});

/** A platform whose attempts run until the test ends them. */
async function started(node = new Node()): Promise<Node> {
  nodes.push(node);
  node.worker.outcome = () => undefined;
  return node.start();
}

async function running(definition: DagDefinition, node?: Node): Promise<Node> {
  const made = await started(node);
  await made.publish(definition);
  await made.trigger('d', { runId: 'r' });
  return made;
}

const RUN = 'dagRun-d:r';
const attempt = (task: string, attemptNo = '1.1', run = 'r'): string => `d:${run}:${task}:${attemptNo}`;
const only = (...taskIds: string[]) => ({ runId: 'r', selection: { taskIds } });

async function ok(node: Node, command: DagCommand) {
  const answer = await node.send('d', command);
  if (!answer.ok) throw new Error(answer.message);
  return answer.result;
}

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(what()).toBe(true);
}

const begun = (node: Node, ...ids: string[]) => until(() => ids.every((id) => node.worker.begun.includes(id)));

async function dataOf(node: Node, stream: string, type: string) {
  return JSON.parse((await node.until(stream, type)).data) as Record<string, unknown>;
}

async function failing(node: Node, taskId: string, runId = 'r'): Promise<unknown[]> {
  const { reasons } = await ok(node, { type: 'explainTask', runId, taskId, mapIndex: '' });
  return (reasons as { passed: boolean; rule: string }[]).flatMap(({ passed, rule }) => (passed ? [] : [rule]));
}

async function setPool(store: EventStore, slots: number, includeDeferred = false): Promise<void> {
  const clock = { now: Date.now, at: () => () => {} };
  const admin = new AdminService({ eventStore: store, secrets: {} as SecretBox, clock, ids: { uuid: randomUUID } });
  await admin.setPool({ name: 'small', slots, includeDeferred }, { actor: 'user:ada' });
}

const wide = (n: number) => Array.from({ length: n }, (_, i) => aTask(`t${i}`));

describe('a task instance that is held', () => {
  it('is taken back from the gateway without using up a try, and goes on when it is released', async () => {
    const node = await running(aDefinition('d', wide(6)));
    await begun(node, attempt('t3'));
    await ok(node, { type: 'holdTasks', ...only('t5'), held: true });
    expect(await dataOf(node, RUN, 'TaskWithdrawn')).toMatchObject({ taskId: 't5', reason: 'the task is held' });
    expect(await failing(node, 't5')).toEqual(['held']);
    for (const task of ['t0', 't1', 't2', 't3']) node.worker.finish(attempt(task), { kind: 'success' });
    await begun(node, attempt('t4'));
    node.worker.finish(attempt('t4'), { kind: 'success' });
    expect(await ok(node, { type: 'holdTasks', ...only('t5'), held: true })).toMatchObject({ instances: [] });
    await ok(node, { type: 'holdTasks', ...only('t5'), held: false });
    await begun(node, attempt('t5', '1.2'));
    node.worker.finish(attempt('t5', '1.2'), { kind: 'success' });
    await node.until(RUN, 'RunSucceeded');
    expect(await node.types(RUN)).not.toContain('TaskLost');
  });

  it('goes on where it runs; its retry waits', async () => {
    const node = await running(aDefinition('d', [aTask('a', { retries: 1, retryDelayMs: 0 })]));
    await begun(node, attempt('a'));
    await ok(node, { type: 'holdTasks', ...only('a'), held: true });
    node.worker.finish(attempt('a'), { kind: 'failed', error: { kind: 'exception', message: 'x' }, retryable: true });
    await node.until(RUN, 'TaskRetryScheduled');
    expect(await failing(node, 'a')).toEqual(['held']);
    await ok(node, { type: 'holdTasks', ...only('a'), held: false });
    await begun(node, attempt('a', '2.1'));
  });

  it('is held after a restart', async () => {
    const first = await running(aDefinition('d', wide(5)));
    await begun(first, attempt('t3'));
    await ok(first, { type: 'holdTasks', ...only('t4'), held: true });
    await first.until(RUN, 'TaskWithdrawn');
    await first.crash();
    nodes.splice(0);
    const second = await started(new Node(first.store, first.blobs));
    await begun(second, attempt('t3'));
    expect(await failing(second, 't4')).toEqual(['held']);
  });
});

describe('a run that is held', () => {
  it('publishes nothing, says so, and goes on when it is released', async () => {
    const node = await running(aDefinition('d', wide(6)));
    await begun(node, attempt('t3'));
    await ok(node, { type: 'holdRun', runId: 'r', held: true });
    await node.until(RUN, 'TaskWithdrawn', 2);
    expect(await failing(node, 't5')).toEqual(['run_held']);
    node.worker.finish(attempt('t0'), { kind: 'success' });
    await node.until(RUN, 'TaskSucceeded');
    expect(node.worker.begun).toHaveLength(4);
    await ok(node, { type: 'holdRun', runId: 'r', held: false });
    await begun(node, attempt('t4', '1.2'));
  });

  it('is not admitted while it waits; other runs pass it', async () => {
    const node = await started();
    await node.publish(aDefinition('d', [aTask('a')], { maxActiveRuns: 1 }));
    for (const runId of ['r1', 'r2', 'r3']) await node.trigger('d', { runId });
    await ok(node, { type: 'holdRun', runId: 'r2', held: true });
    const why = await ok(node, { type: 'explainTask', runId: 'r2', taskId: 'a', mapIndex: '' });
    expect(why['reasons']).toContainEqual({
      rule: 'run_held',
      passed: false,
      reason: 'the run is held, until it is released',
    });
    const { state, reasons } = await ok(node, { type: 'explainRun', runId: 'r2' });
    expect([state, (reasons as { rule: string; passed: boolean }[]).map((each) => each.rule)]).toEqual([
      'queued',
      ['run_state', 'dag_paused', 'run_held', 'max_active_runs', 'run_after'],
    ]);
    expect(await ok(node, { type: 'explainRun', runId: 'r1' })).toMatchObject({ state: 'running' });
    node.worker.finish(attempt('a', '1.1', 'r1'), { kind: 'success' });
    await begun(node, attempt('a', '1.1', 'r3'));
    node.worker.finish(attempt('a', '1.1', 'r3'), { kind: 'success' });
    await node.until('dag-d', 'RunClosed', 2);
    await ok(node, { type: 'holdRun', runId: 'r2', held: false });
    await begun(node, attempt('a', '1.1', 'r2'));
    expect(await node.send('d', { type: 'holdRun', runId: 'r1', held: true })).toMatchObject({ code: 'conflict' });
    expect(await node.send('d', { type: 'holdRun', runId: 'none', held: true })).toMatchObject({ code: 'not_found' });
  });
});

it('a paused DAG takes back what no worker has', async () => {
  const node = await running(aDefinition('d', wide(5)));
  await begun(node, attempt('t3'));
  await node.send('d', { type: 'pauseDag' });
  expect(await dataOf(node, RUN, 'TaskWithdrawn')).toMatchObject({ taskId: 't4', reason: 'the DAG is paused' });
  node.worker.finish(attempt('t0'), { kind: 'success' });
  await node.until(RUN, 'TaskSucceeded');
  await node.send('d', { type: 'unpauseDag' });
  await begun(node, attempt('t4', '1.2'));
});

describe('priority', () => {
  it('of a task reorders what waits', async () => {
    const node = await running(aDefinition('d', wide(7)));
    await begun(node, attempt('t3'));
    await ok(node, { type: 'prioritiseTasks', ...only('t6'), priority: 50 });
    node.worker.finish(attempt('t0'), { kind: 'success' });
    await begun(node, attempt('t6'));
    expect(node.worker.begun).not.toContain(attempt('t4'));
  });

  it('of a run is before that of tasks, and says which run starts first', async () => {
    const node = await started();
    await node.publish(aDefinition('d', wide(4), { maxActiveRuns: 2 }));
    await node.trigger('d', { runId: 'r1' });
    await begun(node, attempt('t3', '1.1', 'r1'));
    await node.trigger('d', { runId: 'r2' });
    await node.trigger('d', { runId: 'r3' });
    await node.trigger('d', { runId: 'r4', priority: 1 });
    await ok(node, { type: 'prioritiseRun', runId: 'r2', priority: 7 });
    for (let i = 0; i < 4; i++) node.worker.finish(attempt(`t${i}`, '1.1', 'r1'), { kind: 'success' });
    await begun(node, attempt('t3', '1.1', 'r2'));
    await node.until('dag-d', 'RunAdmitted', 3);
    expect(
      (await node.history('dag-d')).flatMap(({ type, data }) => (type === 'RunAdmitted' ? JSON.parse(data).runId : [])),
    ).toEqual(['r1', 'r2', 'r4']);
  });
});

it('limits of the DAG and of a task hold over runs, and nothing else waits for them', async () => {
  const node = await started();
  const tasks = [aTask('one', { maxActiveTisPerDag: 1, priorityWeight: 9 }), aTask('b')];
  await node.publish(aDefinition('d', tasks, { maxActiveTasksPerDag: 3 }));
  for (const runId of ['r1', 'r2', 'r3']) await node.trigger('d', { runId });
  await begun(node, attempt('one', '1.1', 'r1'), attempt('b', '1.1', 'r1'), attempt('b', '1.1', 'r2'));
  const { demand } = await ok(node, { type: 'explainTask', runId: 'r3', taskId: 'one', mapIndex: '' });
  const { reasons } = await node.gateway.admissionOf(attempt('one', '1.1', 'r3'), demand as never);
  expect(reasons.filter((each) => !each.passed)).toEqual([
    { rule: 'max_active_tasks_per_dag', passed: false, reason: '3 of 3 active tasks of the DAG' },
    {
      rule: 'max_active_tis_per_dag',
      passed: false,
      reason: '1 of 1 active instances of the task over all runs',
    },
  ]);
  node.worker.finish(attempt('b', '1.1', 'r2'), { kind: 'success' });
  await begun(node, attempt('b', '1.1', 'r3'));
  expect(node.worker.begun).toHaveLength(4);
});

it('a run whose tasks wait for a full pool begins its tasks in others', async () => {
  const store = memoryEventStore();
  await setPool(store, 0);
  const tasks = [...Array.from({ length: 20 }, (_, i) => aTask(`p${i}`, { pool: 'small' })), aTask('free')];
  const node = await running(aDefinition('d', tasks, { maxActiveTasks: 4 }), new Node(store));
  await begun(node, attempt('free'));
  expect(node.worker.begun).toEqual([attempt('free')]);
});

it('a deferred task holds the slots of a pool that includes it, also after a restart', async () => {
  const store = memoryEventStore();
  await setPool(store, 1, true);
  const tasks = [aTask('a', { pool: 'small', priorityWeight: 5 }), aTask('b', { pool: 'small' })];
  const node = await running(aDefinition('d', tasks), new Node(store));
  await begun(node, attempt('a'));
  node.worker.finish(attempt('a'), { kind: 'defer', wait: { kind: 'poll', everyMs: 1_000 } });
  await node.until(RUN, 'TaskDeferred');
  expect(await node.gateway.poolLoads(['small'])).toEqual([{ occupied: 0, deferred: 1, queued: 1 }]);
  await node.crash();
  nodes.splice(0);
  const second = await started(new Node(store, node.blobs));
  await until(() => second.worker.watched.size === 1);
  expect(await second.gateway.poolLoads(['small'])).toEqual([{ occupied: 0, deferred: 1, queued: 1 }]);
  expect(second.worker.begun).toEqual([]);
  second.worker.waited([...second.worker.watched.keys()][0]!, { kind: 'met' });
  await begun(second, attempt('b'));
  expect(await second.gateway.poolLoads(['small'])).toEqual([{ occupied: 1, deferred: 0, queued: 0 }]);
});

it('retries that are set while a task runs count for it', async () => {
  const node = await running(aDefinition('d', [aTask('a', { retryDelayMs: 0 })]));
  await begun(node, attempt('a'));
  await ok(node, { type: 'setRetries', ...only('a'), retries: 1 });
  const error = { kind: 'exception', message: 'x' } as const;
  node.worker.finish(attempt('a'), { kind: 'failed', error, retryable: true });
  await begun(node, attempt('a', '2.1'));
  node.worker.finish(attempt('a', '2.1'), { kind: 'failed', error, retryable: true });
  expect(await dataOf(node, RUN, 'TaskFailed')).toMatchObject({ tryNumber: 2 });
});

it('an abort ends a run with what runs in it, once', async () => {
  const node = await running(aDefinition('d', [...wide(5), aTask('after', { upstream: ['t0'] })]));
  await begun(node, attempt('t3'));
  expect(await ok(node, { type: 'abortRun', runId: 'r' })).toMatchObject({ state: 'failed' });
  await node.until('dag-d', 'RunClosed');
  expect(node.worker.cancelled).toEqual(expect.arrayContaining(['t0', 't1', 't2', 't3'].map((id) => attempt(id))));
  const length = (await node.history(RUN)).length;
  expect(await ok(node, { type: 'abortRun', runId: 'r' })).toMatchObject({ state: 'failed', instances: [] });
  expect(await node.history(RUN)).toHaveLength(length);
});

describe('a clear', () => {
  const chain = (change: Partial<DagDefinition> = {}): DagDefinition =>
    aDefinition('d', [aTask('a'), aTask('b', { upstream: ['a'] })], change);

  async function done(definition = chain()): Promise<Node> {
    const node = await running(definition);
    node.worker.outcome = () => ({ kind: 'success' });
    await begun(node, attempt('a'));
    for (const id of node.worker.begun) node.worker.finish(id, { kind: 'success' });
    await node.until('dag-d', 'RunClosed');
    return node;
  }

  it('can leave the run as it is', async () => {
    const node = await done();
    await ok(node, { type: 'clearTasks', ...only('b'), resetDagRun: false });
    expect(await node.types('dag-d')).not.toContain('RunReopened');
    await ok(node, { type: 'clearTasks', ...only('a') });
    await node.until('dag-d', 'RunClosed', 2);
    expect((await node.types(RUN)).filter((type) => type === 'TaskScheduled')).toHaveLength(4);
  });

  it('refuses what runs if it is told to, and notes what it clears', async () => {
    const node = await running(chain());
    await begun(node, attempt('a'));
    node.worker.started(attempt('a'));
    await node.until(RUN, 'TaskStarted');
    expect(await node.send('d', { type: 'clearTasks', ...only('a'), preventRunning: true })).toMatchObject({
      code: 'conflict',
      message: "task instance 'a' is running (preventRunning)",
    });
    await ok(node, { type: 'clearTasks', ...only('a'), note: 'wrong input' });
    expect(await dataOf(node, RUN, 'TaskNoted')).toMatchObject({ note: 'wrong input', by: 'user:ada' });
  });

  it('takes patterns and groups', async () => {
    const node = await done(
      aDefinition('d', [aTask('g.x', { group: 'g' }), aTask('a'), aTask('g.y', { group: 'g' })], {
        groups: [{ groupId: 'g' }],
      }),
    );
    const dry = (selection: object) => ok(node, { type: 'clearTasks', runId: 'r', selection, dryRun: true });
    const ids = async (selection: object) =>
      ((await dry(selection))['instances'] as { taskId: string }[]).map((each) => each.taskId);
    expect(await ids({ taskIds: ['g'] })).toEqual(['g.x', 'g.y']);
    expect(await ids({ taskPattern: 'g.*' })).toEqual(['g.x', 'g.y']);
    expect(await ids({ taskPattern: '?' })).toEqual(['g.x', 'a', 'g.y']);
    expect(await ids({ taskPattern: 'none*' })).toEqual([]);
  });

  it('runs a finished run on the latest version: what left is gone, what is new runs', async () => {
    const node = await done();
    await node.publish(aDefinition('d', [aTask('a'), aTask('c', { upstream: ['a'] })]));
    const command = { type: 'clearTasks', runId: 'r', selection: {}, latestVersion: true, onlyNew: true } as const;
    expect(await ok(node, { ...command, dryRun: true })).toMatchObject({ instances: [{ taskId: 'c', state: 'none' }] });
    await ok(node, command);
    await node.until('dag-d', 'RunClosed', 2);
    expect(node.worker.begun).toEqual([attempt('a'), attempt('b'), attempt('c')]);
    expect(await node.types('dag-d')).toContain('RunVersionChanged');
    await node.crash();
    nodes.splice(0);
    const second = await started(new Node(node.store, node.blobs));
    await ok(second, { type: 'clearTasks', ...only('c') });
    await begun(second, attempt('c', '2.1'));
    expect(await second.send('d', { type: 'clearTasks', ...only('b') })).toMatchObject({ code: 'invalid' });
  });

  it('changes the version of a run that goes on, unless an attempt would be left behind', async () => {
    const node = await running(chain());
    await begun(node, attempt('a'));
    await node.publish(aDefinition('d', [aTask('b'), aTask('c')]));
    const command = { type: 'clearTasks', ...only('b'), latestVersion: true } as const;
    expect(await node.send('d', command)).toMatchObject({ code: 'conflict', message: expect.stringContaining("'a'") });
    node.worker.finish(attempt('a'), { kind: 'success' });
    await begun(node, attempt('b'));
    await ok(node, command);
    await begun(node, attempt('c'));
    await begun(node, attempt('b', '2.1'));
    for (const id of [attempt('b', '2.1'), attempt('c')]) node.worker.finish(id, { kind: 'success' });
    await node.until(RUN, 'RunSucceeded');
  });

  it('lets the tasks of a run begin whatever their past', async () => {
    const node = await started();
    await node.publish(aDefinition('d', [aTask('a', { dependsOnPast: true })]));
    await node.trigger('d', { runId: 'r1', logicalDate: 1_000 });
    await node.trigger('d', { runId: 'r', logicalDate: 2_000 });
    expect(await failing(node, 'a')).toEqual(['past']);
    await ok(node, { type: 'clearTasks', ...only('a'), ignoreDependsOnPast: true });
    await begun(node, attempt('a'));
  });
});

it('a note on a run is kept with who wrote it', async () => {
  const node = await running(aDefinition('d', [aTask('a')]));
  await ok(node, { type: 'noteRun', runId: 'r', note: 'late data' });
  expect(await dataOf(node, 'dag-d', 'RunNoted')).toEqual({ runId: 'r', note: 'late data', by: 'user:ada' });
});
