import { afterEach, describe, expect, it } from '@jest/globals';
import type { AttemptOutcome } from '@rondo/domain';
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

const RUN = 'dagRun-d:r';
const FAILED: AttemptOutcome = { kind: 'failed', error: { kind: 'exception', message: 'boom' }, retryable: true };
const SUCCESS: AttemptOutcome = { kind: 'success' };
const dataOf = (event: { readonly data: string }) => JSON.parse(event.data) as Record<string, unknown>;

describe('a run that is tried again', () => {
  it('counts as failed, calls back and is closed after its last try alone', async () => {
    const node = await start();
    await node.publish(
      aDefinition('d', [aTask('a')], {
        ...{ runRetries: 2, runRetryDelayMs: 0, maxConsecutiveFailedDagRuns: 2 },
        callbacks: ['onFailure'],
      }),
    );
    node.worker.outcome = () => FAILED;
    await node.trigger('d', { runId: 'r' });
    await node.until('dag-d', 'RunClosed');
    const types = await node.types(RUN);
    expect(types.filter((type) => type === 'RunRetried')).toHaveLength(2);
    expect(types.filter((type) => type === 'RunFailed')).toHaveLength(1);
    expect(node.worker.callbacks.map(({ callback }) => callback)).toEqual(['onFailure']);
    expect(await node.types('dag-d')).not.toContain('DagPaused');
  });

  it('ends the attempts that a timeout cut off before they run again', async () => {
    const node = await start();
    await node.publish(aDefinition('d', [aTask('a')], { runRetries: 1, runRetryDelayMs: 0, dagrunTimeoutMs: 100 }));
    node.worker.outcome = ({ attempt }) => (attempt.tryNumber === 1 ? undefined : SUCCESS);
    await node.trigger('d', { runId: 'r' });
    await node.until(RUN, 'RunSucceeded');
    expect(node.worker.cancelled).toEqual(['d:r:a:1.1']);
    expect(node.worker.begun).toEqual(['d:r:a:1.1', 'd:r:a:2.1']);
  });
});

describe('a retry policy', () => {
  it('sends the next try with what its rule gives, also after a restart', async () => {
    const first = await start();
    const retryPolicy = [
      {
        kind: ['outOfMemory'] as const,
        action: 'retry' as const,
        delaysMs: [50],
        with: { queue: 'default', resources: { memory: 'x2' }, executionTimeoutMs: [9_000] },
      },
    ];
    await first.publish(aDefinition('d', [aTask('a', { retries: 3, resources: { memory: '4g' }, retryPolicy })]));
    first.worker.outcome = () => undefined;
    await first.trigger('d', { runId: 'r' });
    await first.until(RUN, 'TaskScheduled');
    first.worker.finish('d:r:a:1.1', {
      kind: 'failed',
      retryable: true,
      error: { kind: 'exit', signal: 'SIGKILL', message: 'killed' },
    });
    await first.until(RUN, 'TaskRetryScheduled');
    await first.crash();
    const second = new Node(first.store, first.blobs);
    second.worker.outcome = () => undefined;
    await start(second);
    await second.until(RUN, 'TaskScheduled', 2);
    for (let tries = 0; !second.worker.assigned.has('d:r:a:2.1') && tries < 200; tries++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(second.worker.assigned.get('d:r:a:2.1')).toMatchObject({
      executionTimeoutMs: 9_000,
      overrides: { queue: 'default', resources: { memory: '8g' } },
      ruleUses: [[0, 1]],
    });
  });
});

describe('a fallback', () => {
  it('is named to those that take the value of what it stands for', async () => {
    const node = await start();
    await node.publish(
      aDefinition('d', [
        aTask('main', { fallback: 'cached' }),
        aTask('cached', { upstream: ['main'] }),
        aTask('after', { upstream: ['main'], inputs: ['main'] }),
      ]),
    );
    node.worker.outcome = ({ attempt }) =>
      attempt.taskId === 'after' ? undefined : attempt.taskId === 'main' ? FAILED : SUCCESS;
    await node.trigger('d', { runId: 'r' });
    for (let tries = 0; !node.worker.assigned.has('d:r:after:1.1') && tries < 200; tries++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(node.worker.assigned.get('d:r:after:1.1')).toMatchObject({ inputs: {}, standIns: { main: 'cached' } });
    node.worker.finish('d:r:after:1.1', SUCCESS);
    expect(dataOf(await node.until(RUN, 'RunSucceeded'))).toMatchObject({ reason: 'all_tasks_done' });
  });
});
