import { afterEach, describe, expect, it } from '@jest/globals';
import { aDefinition, aTask } from '@rondo/testing';
import { Node } from './harness.ts';

const nodes: Node[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.crash();
});

const DAY = 86_400_000;
const FAILED = { kind: 'failed', error: { kind: 'exception', message: 'boom' }, retryable: false } as const;
const asks = { dependsOnPast: true, pastCondition: true } as const;
const runOf = (runId: string): string => `dagRun-d:${runId}`;
const dataOf = (event: { readonly data: string }) => JSON.parse(event.data) as Record<string, unknown>;
const run = (node: Node, day: number) => node.trigger('d', { runId: `r${day}`, logicalDate: day * DAY });

async function reasonOf(node: Node, runId: string): Promise<unknown> {
  const why = await node.send('d', { type: 'explainTask', runId, taskId: 'a', mapIndex: '' });
  if (!why.ok) throw new Error(why.message);
  return (why.result['reasons'] as { rule: string }[]).find((reason) => reason.rule === 'past');
}

/** A DAG whose first run has failed, and whose second waits to hear whether it depends on that. */
async function waiting(): Promise<Node> {
  const node = await new Node().start();
  nodes.push(node);
  await node.publish(aDefinition('d', [aTask('a', asks), aTask('b')]));
  node.worker.callbackEnd = () => undefined;
  node.worker.outcome = ({ attempt }) => (attempt.taskId === 'a' ? FAILED : { kind: 'success' });
  await run(node, 1);
  await node.until('dag-d', 'RunClosed');
  node.worker.outcome = () => ({ kind: 'success' });
  await run(node, 2);
  await node.until(runOf('r2'), 'TaskSucceeded');
  return node;
}
const QUESTION = 'd:r2::dependsOnPast';

describe('a task that depends on its past if a function says so', () => {
  it('is not asked about where nothing holds it back, and waits for the answer otherwise', async () => {
    const node = await waiting();
    expect(node.worker.callbacks.map(({ id, callback }) => [id, callback])).toEqual([
      ['d:r1::dependsOnPast', 'dependsOnPast'],
      [QUESTION, 'dependsOnPast'],
    ]);
    expect(await reasonOf(node, 'r2')).toMatchObject({
      passed: false,
      reason: 'whether it depends on its past is not known yet: its dependsOnPast function has not answered',
    });
  });

  it('runs when it does not', async () => {
    const node = await waiting();
    node.worker.endCallback(QUESTION, { past: { depends: [] } });
    await node.until(runOf('r2'), 'RunSucceeded');
    expect(dataOf(await node.until(runOf('r2'), 'PastConditionsAnswered'))).toMatchObject({ depends: [] });
  });

  it('waits when it does, and is never asked again', async () => {
    const node = await waiting();
    node.worker.endCallback(QUESTION, { past: { depends: ['a'] } });
    await node.until(runOf('r2'), 'PastConditionsAnswered');
    expect(await reasonOf(node, 'r2')).toMatchObject({
      passed: false,
      reason: "task 'a' of the previous run 'r1' did not succeed",
    });
    await node.crash();
    const again = await new Node(node.store, node.blobs).start();
    nodes.push(again);
    expect(await reasonOf(again, 'r2')).toMatchObject({ reason: expect.stringContaining('did not succeed') });
    expect(again.worker.callbacks).toEqual([]);
    await again.send('d', { type: 'markTasks', runId: 'r1', selection: { taskIds: ['a'] }, state: 'success' });
    await again.until(runOf('r2'), 'RunSucceeded');
  });

  it('waits when the function failed, or nothing could be asked', async () => {
    for (const end of [
      { past: { depends: ['a'], errors: { a: { kind: 'exception', message: 'bad' } } } },
      { error: { kind: 'load', message: 'the file does not load' } },
    ] as const) {
      const node = await waiting();
      node.worker.endCallback(QUESTION, end);
      await node.until(runOf('r2'), 'PastConditionsAnswered');
      expect(await reasonOf(node, 'r2')).toMatchObject({
        passed: false,
        reason: expect.stringContaining('its dependsOnPast function failed, so it waits'),
      });
    }
  });

  it('is asked again after a restart, or when the worker was lost, until there is an answer', async () => {
    const node = await waiting();
    node.worker.endCallback(QUESTION, { error: { kind: 'lost', message: 'gone' } });
    for (let tries = 0; node.worker.callbacks.length < 3 && tries < 100; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(node.worker.callbacks.at(-1)?.id).toBe(QUESTION);
    await node.crash();
    const again = new Node(node.store, node.blobs);
    again.worker.callbackEnd = () => ({ past: { depends: [] } });
    nodes.push(await again.start());
    await again.until(runOf('r2'), 'RunSucceeded');
    expect((await again.types(runOf('r2'))).filter((type) => type === 'PastConditionsAnswered')).toHaveLength(1);
  });
});
