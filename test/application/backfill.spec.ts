import { afterEach, describe, expect, it } from '@jest/globals';
import type { DagCommand } from '@rondo/contracts';
import type { DagDefinition } from '@rondo/domain';
import type { RecordedEvent } from '@rondo/ports';
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
const day = (n: number): number => Date.UTC(2024, 0, n);
const FAILED = { kind: 'failed', error: { kind: 'exception', message: 'boom' }, retryable: false } as const;
const TASKS = [aTask('a'), aTask('b', { upstream: ['a'], inputs: ['a'] }), aTask('c', { upstream: ['b'] })];
const daily = { kind: 'cron_interval', expression: '0 0 * * *', timezone: 'UTC' } as const;

async function published(change: Partial<DagDefinition> = {}, node?: Node): Promise<Node> {
  const started = await start(node);
  await started.publish(
    aDefinition('d', TASKS, { timetable: daily, startDate: Date.now() + 20 * DAY, maxActiveTasks: 16, ...change }),
  );
  return started;
}
type Create = Omit<Extract<DagCommand, { type: 'createBackfill' }>, 'type'>;
const backfill = async (node: Node, change: Partial<Create> = {}) => {
  const answer = await node.send('d', { type: 'createBackfill', from: day(1), to: day(5), ...change });
  if (!answer.ok) throw new Error(answer.message);
  return answer.result;
};
const dataOf = (event: { readonly data: string }) => JSON.parse(event.data) as Record<string, unknown>;
const runOf = (n: number): string => `dagRun-d:backfill__2024-01-0${n + 1}T00:00:00+00:00`;

describe('a backfill', () => {
  it('runs its dates to the end, each once, with type and backfill in the run', async () => {
    const node = await published();
    expect(await backfill(node, { conf: { x: 1 } })).toMatchObject({ dagId: 'd', backfillId: 1, dates: 5 });
    await node.until('dag-d', 'BackfillCompleted');
    const [started] = await node.history(runOf(1));
    expect(dataOf(started!)).toMatchObject({
      runType: 'backfill',
      logicalDate: day(1),
      dataInterval: [day(1), day(2)],
      triggeredBy: 'backfill',
      backfill: { backfillId: 1, ordinal: 1 },
      conf: { x: 1 },
    });
    expect(node.worker.begun).toHaveLength(15);
    expect(node.problems).toEqual([]);
  });

  it('makes what lies ahead of it over a restart', async () => {
    const first = await published();
    first.worker.outcome = () => undefined;
    await backfill(first, { from: day(1) - 300 * DAY, to: day(1), maxActiveRuns: 2 });
    await first.until('dag-d', 'RunAdmitted', 2);
    await first.crash();
    const second = await start(new Node(first.store, first.blobs));
    second.worker.hello = { ...second.worker.hello, slots: 16 };
    await second.until('dag-d', 'RunClosed', 301);
    await second.until('dag-d', 'BackfillCompleted');
    const requested = (await second.history('dag-d')).filter((event) => event.type === 'RunRequested').map(dataOf);
    expect(requested.map((data) => (data['backfill'] as { ordinal: number }).ordinal)).toEqual(
      Array.from({ length: 301 }, (_, i) => i + 1),
    );
    expect(second.problems).toEqual([]);
  });

  it('runs existing runs again, which are not in memory, as runs of its own', async () => {
    const node = await published();
    node.worker.outcome = (order) => (order.attempt.taskId === 'b' ? FAILED : { kind: 'success' });
    for (const n of [1, 2]) await node.trigger('d', { runId: `r${n}`, logicalDate: day(n) });
    await node.until('dag-d', 'RunClosed', 2);
    node.worker.outcome = () => ({ kind: 'success' });
    await backfill(node, { to: day(3), reprocess: 'failed' });
    await node.until('dag-d', 'BackfillCompleted');
    expect(await node.types('dagRun-d:r1')).toEqual(
      expect.arrayContaining(['TaskCleared', 'RunReopened', 'RunResumed']),
    );
    const reopened = (await node.history('dagRun-d:r2')).find((event) => event.type === 'RunReopened')!;
    expect(dataOf(reopened)).toMatchObject({ backfill: { backfillId: 1, ordinal: 2 } });
    const cleared = (await node.history('dagRun-d:r2')).filter((event) => event.type === 'TaskCleared');
    expect(cleared).toHaveLength(1);
    const closed = (await node.history('dag-d')).filter((event) => event.type === 'RunClosed').map(dataOf);
    expect(closed.slice(2).map(({ state }) => state)).toEqual(['success', 'success', 'success']);
  });

  it('runs existing runs again on the newest version if asked to, with the tasks that it has', async () => {
    const node = await published();
    await node.trigger('d', { runId: 'r1', logicalDate: day(1) });
    await node.until('dag-d', 'RunClosed');
    await node.publish(
      aDefinition('d', [aTask('a'), aTask('new', { upstream: ['a'] })], {
        ...{ timetable: daily, startDate: Date.now() + 20 * DAY },
      }),
    );
    node.worker.begun.length = 0;
    await backfill(node, { to: day(1), reprocess: 'completed', runOnLatestVersion: true });
    await node.until('dag-d', 'BackfillCompleted');
    expect(node.worker.begun).toEqual(['d:r1:a:2.1', 'd:r1:new:1.1']);
    expect(await node.types('dagRun-d:r1')).toContain('RunVersionChanged');
    expect(node.problems).toEqual([]);
    await node.crash();
    const again = await start(new Node(node.store, node.blobs));
    const explained = await again.send('d', { type: 'explainTask', runId: 'r1', taskId: 'new', mapIndex: '' });
    expect(explained).toMatchObject({ ok: true, result: { state: 'success' } });
  });

  it('clears a run whose clearing was cut short after the DAG had said so', async () => {
    const node = await published();
    await node.trigger('d', { runId: 'r1', logicalDate: day(1) });
    await node.until('dag-d', 'RunClosed');
    await node.send('d', { type: 'pauseDag' });
    await backfill(node, { to: day(1), reprocess: 'completed' });
    await node.until('dag-d', 'RunReopened');
    await node.crash();
    // The run's own events of that decision were never written.
    const cut = new Node(await without(node, 'dagRun-d:r1', ['TaskCleared', 'RunReopened']), node.blobs);
    await start(cut);
    await cut.send('d', { type: 'unpauseDag' });
    await cut.until('dag-d', 'BackfillCompleted');
    expect(await cut.types('dagRun-d:r1')).toEqual(
      expect.arrayContaining(['TaskCleared', 'RunReopened', 'RunResumed']),
    );
    expect(cut.worker.begun).toEqual(['d:r1:a:2.1', 'd:r1:b:2.1', 'd:r1:c:2.1']);
  });

  it('of chosen tasks runs nothing else, and needs the values that they take', async () => {
    const node = await published();
    const missing = await node.send('d', {
      type: 'createBackfill',
      from: day(1),
      to: day(2),
      only: { taskIds: ['b'] },
    });
    expect(missing).toMatchObject({ ok: false, code: 'invalid', message: expect.stringContaining("values of 'a'") });
    await backfill(node, { to: day(2), only: { taskIds: ['b'], includeUpstream: true } });
    await node.until('dag-d', 'BackfillCompleted');
    const [started] = await node.history(runOf(1));
    expect(dataOf(started!)).toMatchObject({ only: ['a', 'b'] });
    expect(node.worker.begun.map((id) => id.split(':').at(-2)).sort()).toEqual(['a', 'a', 'b', 'b']);
  });

  it('of chosen tasks keeps what else existing runs have, and passes over dates that have nothing', async () => {
    const node = await published();
    await node.trigger('d', { runId: 'r1', logicalDate: day(1) });
    await node.until('dag-d', 'RunClosed');
    node.worker.begun.length = 0;
    await backfill(node, { to: day(2), reprocess: 'completed', only: { taskIds: ['b'] } });
    await node.until('dag-d', 'BackfillCompleted');
    expect(node.worker.begun).toEqual(['d:r1:b:2.1']);
    const passed = (await node.history('dag-d')).find((event) => event.type === 'BackfillDatesPassed')!;
    expect(dataOf(passed)).toMatchObject({ dates: [{ ordinal: 2, reason: 'needs upstream' }] });
  });

  it('lets its first run start whatever its past, and the others after one another', async () => {
    const node = await start();
    const tasks = [aTask('a', { dependsOnPast: true })];
    await node.publish(aDefinition('d', tasks, { timetable: daily, startDate: Date.now() + 20 * DAY }));
    node.worker.outcome = (order) => (order.attempt.runId === 'old' ? FAILED : { kind: 'success' });
    await node.trigger('d', { runId: 'old', logicalDate: day(1) });
    await node.until('dag-d', 'RunClosed');
    await backfill(node, { from: day(2), to: day(4), reprocess: 'failed' });
    await node.until('dag-d', 'BackfillCompleted');
    expect(node.worker.begun.slice(1)).toEqual([2, 3, 4].map((n) => `d:${runOf(n).slice('dagRun-d:'.length)}:a:1.1`));
  });

  it('says why a run of it waits', async () => {
    const node = await published();
    node.worker.outcome = () => undefined;
    await backfill(node, { maxActiveRuns: 1 });
    await node.until('dag-d', 'RunAdmitted');
    await node.send('d', { type: 'pauseBackfill', backfillId: 1 });
    const runId = runOf(2).slice('dagRun-d:'.length);
    const why = await node.send('d', { type: 'explainTask', runId, taskId: 'a', mapIndex: '' });
    expect(why).toMatchObject({
      result: {
        reasons: expect.arrayContaining([
          { rule: 'backfill_paused', passed: false, reason: 'backfill 1 is paused' },
          { rule: 'max_active_runs', passed: false, reason: '1 of 1 active runs of backfill 1' },
        ]),
      },
    });
  });

  it('says why a run that it runs again waits', async () => {
    const node = await published();
    await node.trigger('d', { runId: 'r2', logicalDate: day(2) });
    await node.until('dag-d', 'RunClosed');
    node.worker.outcome = () => undefined;
    await backfill(node, { to: day(2), reprocess: 'completed', maxActiveRuns: 1 });
    await node.until('dag-d', 'RunReopened');
    const why = await node.send('d', { type: 'explainTask', runId: 'r2', taskId: 'a', mapIndex: '' });
    expect(why).toMatchObject({
      result: {
        reasons: expect.arrayContaining([
          { rule: 'max_active_runs', passed: false, reason: '1 of 1 active runs of backfill 1' },
        ]),
      },
    });
  });

  it('answers a dry run page by page, and the next runs of the timetable', async () => {
    const node = await published();
    const dryRun = { offset: 3, limit: 1 };
    expect(await backfill(node, { dryRun })).toMatchObject({
      ...{ total: 5, create: 5, clear: 0, pass: 0 },
      items: [{ ordinal: 4, logicalDate: day(4), action: 'create' }],
    });
    const next = await node.send('d', { type: 'previewRuns', count: 3 });
    expect(next).toMatchObject({ ok: true, result: { runs: [{}, {}, {}] } });
    const nobody = await node.send('x', { type: 'previewRuns', count: 3 });
    expect(nobody).toMatchObject({ ok: false, code: 'not_found' });
  });
});

/** A store with the history of the node, without the last event of each of these types of a stream. */
async function without(node: Node, stream: string, types: readonly string[]): Promise<Node['store']> {
  const all: RecordedEvent[] = [];
  for (const { stream: name } of await node.store.listStreams('')) all.push(...(await node.history(name)));
  all.sort((a, b) => a.position - b.position);
  const cut = new Set(types.map((type) => all.findLast((event) => event.stream === stream && event.type === type)));
  const store = new Node().store;
  for (const event of all) {
    if (cut.has(event)) continue;
    const { id, type, data, meta } = event;
    await store.append([{ stream: event.stream, expected: 'any', events: [{ id, type, data, meta }] }]);
  }
  return store;
}
