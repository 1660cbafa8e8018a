import { afterEach, describe, expect, it } from '@jest/globals';
import type { TaskDefinition } from '@rondo/domain';
import { aDefinition, aTask } from '@rondo/testing';
import { Node } from './harness.ts';

const nodes: Node[] = [];
async function start(node = new Node()): Promise<Node> {
  nodes.push(node);
  return node.start();
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.crash();
});

const DAY = 86_400_000;
const past = { dependsOnPast: true };
const FAILED = { kind: 'failed', error: { kind: 'exception', message: 'boom' }, retryable: false } as const;
const SUCCESS = { kind: 'success' } as const;
const runOf = (runId: string): string => `dagRun-d:${runId}`;

/** A DAG of which each run is asked for by hand, for the day of its number. */
async function published(change: Partial<TaskDefinition> = {}, node?: Node): Promise<Node> {
  const started = await start(node);
  await started.publish(aDefinition('d', [aTask('a', { ...past, ...change }), aTask('b', { upstream: ['a'] })]));
  return started;
}
const run = (node: Node, day: number, change = {}) =>
  node.trigger('d', { runId: `r${day}`, logicalDate: day * DAY, ...change });
const dataOf = (event: { readonly data: string }) => JSON.parse(event.data) as Record<string, unknown>;

async function reasonOf(node: Node, runId: string, taskId = 'a'): Promise<unknown> {
  const why = await node.send('d', { type: 'explainTask', runId, taskId, mapIndex: '' });
  if (!why.ok) throw new Error(why.message);
  return (why.result['reasons'] as { rule: string }[]).find((reason) => reason.rule === 'past');
}

describe('a task that depends on its past', () => {
  it('waits for the instance of the open previous run, says so, and records what it relied on', async () => {
    const node = await published();
    node.worker.outcome = () => undefined;
    await run(node, 1);
    await run(node, 2);
    expect(await reasonOf(node, 'r2')).toEqual({
      rule: 'past',
      passed: false,
      reason: "task 'a' of the previous run 'r1' has not succeeded",
    });
    expect(await node.types(runOf('r2'))).toEqual(['RunStarted']);
    node.worker.finish('d:r1:a:1.1', SUCCESS);
    const scheduled = await node.until(runOf('r2'), 'TaskScheduled');
    const succeeded = await node.until(runOf('r1'), 'TaskSucceeded');
    const { past: relied } = dataOf(scheduled) as { past: { runId: string; revision: number } };
    expect(relied.runId).toBe('r1');
    expect(relied.revision).toBeGreaterThanOrEqual(succeeded.revision);
    expect(scheduled.position).toBeGreaterThan(succeeded.position);
  });

  it('waits over a restart, for a closed run by its summary', async () => {
    const first = await published();
    first.worker.outcome = (order) => (order.attempt.taskId === 'a' ? FAILED : SUCCESS);
    await run(first, 1);
    const closed = await first.until('dag-d', 'RunClosed');
    expect(dataOf(closed)['past']).toMatchObject({ unmet: ['a', 'b'] });
    await run(first, 2);
    await first.crash();

    const second = await start(new Node(first.store, first.blobs));
    expect(await reasonOf(second, 'r2')).toMatchObject({
      passed: false,
      reason: expect.stringContaining('did not succeed'),
    });
    await second.send('d', { type: 'clearTasks', runId: 'r1', selection: { taskIds: ['a'], includeDownstream: true } });
    await second.until(runOf('r2'), 'RunSucceeded');
    expect(second.worker.begun.map((id) => id.split(':').slice(1).join(':'))).toEqual(
      expect.arrayContaining(['r1:a:2.1', 'r2:a:1.1']),
    );
    expect(second.worker.begun.indexOf('d:r1:a:2.1')).toBeLessThan(second.worker.begun.indexOf('d:r2:a:1.1'));
  });

  it('goes on when the instance of the closed run is marked', async () => {
    const node = await published();
    node.worker.outcome = (order) => (order.attempt.runId === 'r1' ? FAILED : SUCCESS);
    await run(node, 1);
    await node.until('dag-d', 'RunClosed');
    await run(node, 2);
    await node.send('d', { type: 'markTasks', runId: 'r1', selection: { taskIds: ['a'] }, state: 'success' });
    await node.until('dag-d', 'RunSummaryRevised');
    await node.until(runOf('r2'), 'RunSucceeded');
    expect(await node.types('dag-d')).toEqual(
      ['DagVersionPublished', 'RunRequested', 'RunAdmitted', 'RunClosed', 'RunRequested', 'RunAdmitted'].concat([
        'RunSummaryRevised',
        'RunClosed',
      ]),
    );
  });

  it('waits for what is directly below in the previous run where it asks for that', async () => {
    const node = await published({ waitForDownstream: true });
    node.worker.outcome = (order) => (order.attempt.taskId === 'a' ? SUCCESS : undefined);
    await run(node, 1);
    await node.until(runOf('r1'), 'TaskScheduled', 2);
    await run(node, 2);
    expect(await reasonOf(node, 'r2')).toMatchObject({
      passed: false,
      reason: expect.stringContaining('directly below'),
    });
    node.worker.finish('d:r1:b:1.1', SUCCESS);
    await node.until(runOf('r2'), 'TaskScheduled', 2);
  });

  it('is skipped where a failed past skips it, once the previous run is closed', async () => {
    const node = await published({ pastFailure: 'skip' });
    node.worker.outcome = () => undefined;
    await run(node, 1);
    await run(node, 2);
    node.worker.outcome = () => SUCCESS;
    node.worker.finish('d:r1:a:1.1', FAILED);
    expect(dataOf(await node.until(runOf('r2'), 'TaskSkipped'))).toMatchObject({
      reason: 'past',
      instances: [{ taskId: 'a', mapIndex: [] }],
    });
    await run(node, 3);
    await node.until(runOf('r3'), 'RunSucceeded');
    expect(node.worker.begun).toContain('d:r3:a:1.1');
  });

  it('does not wait in a run that ignores the past', async () => {
    const node = await published();
    node.worker.outcome = () => undefined;
    await run(node, 1);
    await run(node, 2, { ignoreDependsOnPast: true });
    expect(dataOf(await node.until(runOf('r2'), 'TaskScheduled'))).not.toHaveProperty('past');
  });

  it('does not wait in a run without a logical date, nor for a run that was cancelled before it started', async () => {
    const node = await start();
    await node.publish({ ...aDefinition('d', [aTask('a', past)]), maxActiveRuns: 1 });
    node.worker.outcome = () => undefined;
    await node.trigger('d', { runId: 'undated' });
    await node.until(runOf('undated'), 'TaskScheduled');
    await run(node, 1);
    await run(node, 2);
    await node.send('d', { type: 'abortRun', runId: 'r1' });
    node.worker.outcome = () => SUCCESS;
    node.worker.finish('d:undated:a:1.1', SUCCESS);
    await node.until(runOf('r2'), 'RunSucceeded');
    expect(node.worker.begun).toEqual(['d:undated:a:1.1', 'd:r2:a:1.1']);
  });

  it('waits for a run that is asked for later, for an earlier date', async () => {
    const node = await published();
    node.worker.outcome = () => undefined;
    await run(node, 1);
    await run(node, 3);
    await run(node, 2);
    node.worker.finish('d:r1:a:1.1', SUCCESS);
    await node.until(runOf('r2'), 'TaskScheduled');
    expect(await reasonOf(node, 'r3')).toMatchObject({ passed: false, reason: expect.stringContaining("'r2'") });
    node.worker.finish('d:r2:a:1.1', SUCCESS);
    await node.until(runOf('r3'), 'TaskScheduled');
  });
});

describe('a run that comes back', () => {
  it('starts over the limit on runs when the run in its place waits for it', async () => {
    const node = await start();
    await node.publish({ ...aDefinition('d', [aTask('a', past)]), maxActiveRuns: 1 });
    node.worker.outcome = (order) => (order.attempt.tryNumber === 1 && order.attempt.runId === 'r1' ? FAILED : SUCCESS);
    await run(node, 1);
    await node.until('dag-d', 'RunClosed');
    await run(node, 2);
    expect(await reasonOf(node, 'r2')).toMatchObject({ passed: false });
    await node.send('d', { type: 'clearTasks', runId: 'r1', selection: { taskIds: ['a'] } });
    await node.until(runOf('r2'), 'RunSucceeded');
    expect(node.worker.begun).toEqual(['d:r1:a:1.1', 'd:r1:a:2.1', 'd:r2:a:1.1']);
  });

  it('goes on in its place when it had ended with an attempt still open', async () => {
    const node = await start();
    await node.publish(aDefinition('d', [aTask('a')]));
    node.worker.outcome = () => undefined;
    node.worker.cancel = () => undefined;
    await run(node, 1);
    await node.until(runOf('r1'), 'TaskScheduled');
    await node.send('d', { type: 'markTasks', runId: 'r1', selection: { taskIds: ['a'] }, state: 'failed' });
    await node.send('d', { type: 'clearTasks', runId: 'r1', selection: { taskIds: ['a'] } });
    node.worker.outcome = () => SUCCESS;
    node.worker.finish('d:r1:a:1.1', SUCCESS);
    await node.until(runOf('r1'), 'RunSucceeded');
    expect(await node.types(runOf('r1'))).toContain('RunResumed');
  });
});

describe('a DAG that does not depend on its past', () => {
  it('closes its runs as ever', async () => {
    const node = await start();
    await node.publish(aDefinition('d', [aTask('a')]));
    await run(node, 1);
    expect(dataOf(await node.until('dag-d', 'RunClosed'))).toEqual({ runId: 'r1', state: 'success' });
  });
});

describe('a version that begins to depend on its past', () => {
  it('is not held back by runs that were closed before', async () => {
    const node = await start();
    await node.publish(aDefinition('d', [aTask('a')]));
    node.worker.outcome = (order) => (order.attempt.runId === 'r1' ? FAILED : SUCCESS);
    await run(node, 1);
    expect(dataOf(await node.until('dag-d', 'RunClosed'))).not.toHaveProperty('past');
    await node.publish(aDefinition('d', [aTask('a', past)]));
    await run(node, 2);
    await node.until(runOf('r2'), 'RunSucceeded');
    expect(dataOf(await node.until('dag-d', 'RunClosed', 2))['past']).toEqual({ revision: expect.any(Number) });
  });

  it('waits for a task of an older version that is open still, and lets a task that is new start', async () => {
    const node = await start();
    await node.publish(aDefinition('d', [aTask('a', past)]));
    node.worker.outcome = () => undefined;
    await run(node, 1);
    await node.until(runOf('r1'), 'TaskScheduled');
    await node.publish(
      aDefinition('d', [
        aTask('a', past),
        aTask('n', past),
        aTask('strict', { ...past, ignoreFirstDependsOnPast: false }),
      ]),
    );
    await run(node, 2);
    const scheduled = await node.until(runOf('r2'), 'TaskScheduled');
    expect(dataOf(scheduled)).toMatchObject({ taskId: 'n' });
    expect(await reasonOf(node, 'r2', 'strict')).toMatchObject({
      passed: false,
      reason: expect.stringContaining('has not run'),
    });
    node.worker.finish('d:r1:a:1.1', SUCCESS);
    expect(dataOf(await node.until('dag-d', 'RunClosed'))['past']).toMatchObject({ absent: ['n', 'strict'] });
    await node.until(runOf('r2'), 'TaskScheduled', 2);
    expect(await reasonOf(node, 'r2', 'strict')).toMatchObject({ passed: false });
  });
});
