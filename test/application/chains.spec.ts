import { afterEach, describe, expect, it } from '@jest/globals';
import type { TaskDefinition } from '@rondo/domain';
import type { AppendRequest } from '@rondo/ports';
import { aDefinition, aTask } from '@rondo/testing';
import { Node } from './harness.ts';

const nodes: Node[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.crash();
});

const DAY = 86_400_000;

/** What is appended while three runs that are asked for at once come to their end. */
async function chainsOf(change: Partial<TaskDefinition> = {}): Promise<(readonly AppendRequest[])[]> {
  const node = new Node();
  nodes.push(node);
  await node.start();
  await node.publish(aDefinition('d', [aTask('a', change), aTask('b', { upstream: ['a'] })]));
  const chains: (readonly AppendRequest[])[] = [];
  const append = node.store.append.bind(node.store);
  Object.assign(node.store, {
    append: (chain: readonly AppendRequest[]) => {
      chains.push(chain);
      return append(chain);
    },
  });
  const days = [1, 2, 3];
  await Promise.all(days.map((day) => node.trigger('d', { runId: `r${day}`, logicalDate: day * DAY })));
  for (const day of days) await node.until(`dagRun-d:r${day}`, 'RunSucceeded');
  return chains;
}
const isRun = (request: AppendRequest | undefined): boolean => request?.stream.startsWith('dagRun-') === true;

describe('the chain of a batch', () => {
  it('has the runs beside each other, each after what the DAG says before it', async () => {
    const chains = await chainsOf();
    const pairs = chains.flatMap((chain) => chain.map((request, at) => ({ request, before: chain[at - 1] })));
    const beside = pairs.filter(({ request }) => request.beside === true);
    expect(beside.length).toBeGreaterThan(0);
    for (const { request, before } of beside) {
      expect(isRun(request) && isRun(before)).toBe(true);
      expect(request.stream).not.toBe(before!.stream);
    }
    for (const { request, before } of pairs) if (!isRun(before)) expect(request.beside).toBeUndefined();
  });

  it('has a run that relied on another after it', async () => {
    const chains = await chainsOf({ dependsOnPast: true });
    const relied = chains.flatMap((chain) =>
      chain.flatMap((request, at) => {
        const pasts = request.events.map(({ data }) => (JSON.parse(data) as { past?: { runId: string } }).past);
        return pasts.flatMap((past) => (past === undefined ? [] : [{ chain, at, runId: past.runId }]));
      }),
    );
    const together = relied.filter(({ chain, runId }) => chain.some(({ stream }) => stream === `dagRun-d:${runId}`));
    expect(together.length).toBeGreaterThan(0);
    for (const { chain, at, runId } of together) {
      expect(chain.slice(0, at).some(({ stream }) => stream === `dagRun-d:${runId}`)).toBe(true);
      expect(chain[at]!.beside).toBeUndefined();
    }
  });
});
