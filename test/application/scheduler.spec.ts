import { afterEach, describe, expect, it } from '@jest/globals';
import { aDefinition, aTask, memoryEventStore } from '@rondo/testing';
import { StoreUnavailableError, type ReadOptions } from '@rondo/ports';
import { Node } from './harness.ts';

const nodes: Node[] = [];
async function start(node = new Node()): Promise<Node> {
  nodes.push(node);
  return node.start();
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.crash();
});

const chain = (change = {}) => aDefinition('d', [aTask('a'), aTask('b', { upstream: ['a'], ...change })]);
const runOf = (runId: string): string => `dagRun-d:${runId}`;

describe('a run from command to end', () => {
  it('writes the DAG before the run and closes it after the run has ended', async () => {
    const node = await start();
    await node.publish(chain());
    const runId = await node.trigger('d');
    await node.until('dag-d', 'RunClosed');
    expect(await node.types('dag-d')).toEqual(['DagVersionPublished', 'RunRequested', 'RunAdmitted', 'RunClosed']);
    expect(await node.types(runOf(runId))).toEqual([
      'RunStarted',
      ...['a', 'b'].flatMap(() => ['TaskScheduled', 'TaskQueued', 'TaskStarted', 'TaskSucceeded']),
      'RunSucceeded',
    ]);
    const [admitted] = (await node.history('dag-d')).filter((e) => e.type === 'RunAdmitted');
    expect((await node.history(runOf(runId)))[0]!.position).toBeGreaterThan(admitted!.position);
    expect(node.worker.acknowledged).toHaveLength(2);
  });

  it('keeps metadata within its bound and names who asked', async () => {
    const node = await start();
    await node.publish(chain());
    const runId = await node.trigger('d');
    await node.until('dag-d', 'RunClosed');
    for (const event of [...(await node.history('dag-d')), ...(await node.history(runOf(runId)))])
      expect(Buffer.byteLength(event.meta)).toBeLessThanOrEqual(350);
    expect(JSON.parse((await node.history('dag-d'))[1]!.meta)).toMatchObject({ actor: 'user:ada', schema: 1 });
  });

  it('takes a command that comes again with the same key for the same run', async () => {
    const node = await start();
    await node.publish(chain());
    const first = await node.trigger('d', { key: 'k' });
    expect(await node.trigger('d', { key: 'k' })).toBe(first);
    expect((await node.types('dag-d')).filter((t) => t === 'RunRequested')).toHaveLength(1);
  });

  it('refuses a run id that exists and a DAG that does not, with the reason', async () => {
    const node = await start();
    await node.publish(chain());
    await node.trigger('d', { runId: 'r1' });
    expect(
      await node.send('d', { type: 'triggerRun', runType: 'manual', triggeredBy: 'user', runId: 'r1' }),
    ).toMatchObject({ ok: false, code: 'conflict' });
    expect(await node.send('x', { type: 'triggerRun', runType: 'manual', triggeredBy: 'user' })).toMatchObject({
      ok: false,
      code: 'not_found',
      message: expect.stringContaining("'x'"),
    });
  });

  it('starts no more runs than allowed, and the next when one ends', async () => {
    const node = await start();
    node.worker.outcome = () => undefined;
    await node.publish({ ...chain(), maxActiveRuns: 1 });
    await node.trigger('d', { runId: 'r1' });
    await node.trigger('d', { runId: 'r2' });
    expect((await node.types('dag-d')).filter((t) => t === 'RunAdmitted')).toHaveLength(1);
    node.worker.outcome = () => ({ kind: 'success' });
    node.worker.finish('d:r1:a:1.1', { kind: 'success' });
    await node.until('dag-d', 'RunClosed', 2);
  });
});

describe('an order may come twice, a report too (I1)', () => {
  it('ignores the report of an attempt that is decided', async () => {
    const node = await start();
    await node.publish(chain());
    const runId = await node.trigger('d');
    await node.until('dag-d', 'RunClosed');
    const before = await node.types(runOf(runId));
    node.worker.repeat(`d:${runId}:a:1.1`, {
      kind: 'failed',
      error: { kind: 'exception', message: 'late' },
      retryable: true,
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await node.types(runOf(runId))).toEqual(before);
  });
});

describe('recovery', () => {
  it('goes on with open runs, loses what was running and repeats what had not begun', async () => {
    const first = await start();
    first.worker.outcome = () => undefined;
    await first.publish(aDefinition('d', [aTask('running'), aTask('waiting')]));
    const runId = await first.trigger('d');
    await first.until(runOf(runId), 'TaskScheduled', 2);
    first.worker.started(`d:${runId}:running:1.1`);
    await first.until(runOf(runId), 'TaskStarted');
    await first.crash();

    const second = new Node(first.store, first.blobs);
    second.worker.hello = { ...second.worker.hello, interrupted: [`d:${runId}:running:1.1`] };
    await start(second);
    await second.until('dag-d', 'RunClosed');
    expect(second.worker.begun.sort()).toEqual([`d:${runId}:running:1.2`, `d:${runId}:waiting:1.1`]);
    expect((await second.types(runOf(runId))).filter((t) => t === 'TaskLost')).toHaveLength(1);
  });

  it('takes every published attempt for lost when the outbox cannot be trusted', async () => {
    const first = await start();
    first.worker.outcome = () => undefined;
    await first.publish(aDefinition('d', [aTask('a')]));
    const runId = await first.trigger('d');
    await first.until(runOf(runId), 'TaskScheduled');
    await first.crash();
    const second = new Node(first.store, first.blobs);
    second.worker.hello = { ...second.worker.hello, journalIntact: false };
    await start(second);
    await second.until('dag-d', 'RunClosed');
    expect(second.worker.begun).toEqual([`d:${runId}:a:1.2`]);
  });

  it('starts a run that was admitted and had no first event (I4)', async () => {
    const first = await start();
    await first.publish(chain());
    await first.crash();
    const requested = {
      runId: 'r9',
      runType: 'manual',
      logicalDate: null,
      dataInterval: null,
      runAfter: 1,
      triggeredBy: 'user',
    };
    const admitted = { runId: 'r9', version: JSON.parse((await first.history('dag-d'))[0]!.data).version };
    await first.store.append([
      {
        stream: 'dag-d',
        expected: 0,
        events: [
          { id: crypto.randomUUID(), type: 'RunRequested', data: JSON.stringify(requested), meta: '{"schema":1}' },
          { id: crypto.randomUUID(), type: 'RunAdmitted', data: JSON.stringify(admitted), meta: '{"schema":1}' },
        ],
      },
    ]);
    const second = await start(new Node(first.store, first.blobs));
    await second.until('dag-d', 'RunClosed');
    expect((await second.types(runOf('r9')))[0]).toBe('RunStarted');
  });
});

describe('the fence', () => {
  it('drops its memory when somebody else wrote the stream, and goes on from the history', async () => {
    const node = await start();
    await node.publish(chain());
    await node.store.append([
      {
        stream: 'dag-d',
        expected: 'any',
        events: [{ id: crypto.randomUUID(), type: 'DagPaused', data: '{}', meta: '{"schema":1}' }],
      },
    ]);
    const answer = await node.send('d', { type: 'triggerRun', runType: 'manual', triggeredBy: 'user', runId: 'r1' });
    expect(answer).toMatchObject({ ok: true, result: { state: 'queued' } });
    expect(node.problems.map((p) => p.kind)).toEqual(['ownership-lost']);
    expect(await node.types('dag-d')).toEqual(['DagVersionPublished', 'DagPaused', 'RunRequested']);
  });

  it('quarantines a run whose history cannot be folded, and the shard goes on (I12)', async () => {
    const store = memoryEventStore();
    const first = await start(new Node(store));
    first.worker.outcome = () => undefined;
    await first.publish(chain());
    await first.trigger('d', { runId: 'bad' });
    await first.crash();
    await store.append([
      {
        stream: runOf('bad'),
        expected: 'any',
        events: [
          {
            id: crypto.randomUUID(),
            type: 'TaskStarted',
            data: '{"taskId":"nobody","mapIndex":[],"tryNumber":1,"leg":1,"at":1}',
            meta: '{"schema":1}',
          },
        ],
      },
    ]);
    const second = await start(new Node(store, first.blobs));
    const good = await second.trigger('d', { runId: 'good' });
    await second.until(runOf(good), 'RunSucceeded');
    expect([...second.scheduler.quarantine().keys()]).toEqual(['d:bad']);
    expect(await second.send('d', { type: 'abortRun', runId: 'bad' })).toMatchObject({
      ok: false,
      code: 'quarantined',
    });
  });
});

describe('an attempt to decide that fails', () => {
  it('is blamed on its run, not on the DAG', async () => {
    const node = await start();
    node.worker.outcome = () => undefined;
    await node.publish(chain());
    const good = await node.trigger('d', { runId: 'good' });
    await node.trigger('d', { runId: 'bad' });
    const outcome = { kind: 'success', xcoms: { return_value: { value: 1n } } } as never;
    node.worker.finish('d:bad:a:1.1', outcome);
    for (let i = 0; i < 200 && node.scheduler.quarantine().size === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    node.worker.finish('d:good:a:1.1', { kind: 'success' });
    await node.until(runOf(good), 'TaskSucceeded');
    expect([...node.scheduler.quarantine().keys()]).toEqual(['d:bad']);
  });

  it('is no fault of a DAG whose history cannot be read for now: it is waited for', async () => {
    const store = memoryEventStore();
    const first = await start(new Node(store));
    await first.publish(chain());
    await first.crash();
    let failures = 0;
    const isAway = (): boolean => ++failures <= 4;
    const away = new StoreUnavailableError('not the leader', { retryable: true });
    const list = store.listStreams.bind(store);
    const read = store.readStream.bind(store);
    Object.assign(store, {
      listStreams: (prefix: string) => (prefix === 'dag-' && isAway() ? Promise.reject(away) : list(prefix)),
      readStream: (stream: string, options?: ReadOptions) => {
        if (stream === 'dag-d' && isAway()) throw away;
        return read(stream, options);
      },
    });
    const second = await start(new Node(store, first.blobs));
    expect(await second.send('d', { type: 'pauseDag' })).toMatchObject({ ok: true });
    expect(failures).toBeGreaterThan(4);
    expect([...second.scheduler.quarantine()]).toEqual([]);
    expect(new Set(second.problems.map(({ kind }) => kind))).toEqual(new Set(['store-unavailable']));
  });

  it('leaves nothing behind for a DAG that does not exist', async () => {
    const node = await start();
    for (let i = 0; i < 3; i++)
      expect(await node.send(`nobody${i}`, { type: 'pauseDag' })).toMatchObject({ ok: false, code: 'not_found' });
    expect(await node.store.listStreams('dag-nobody')).toEqual([]);
  });
});

describe('control', () => {
  it('cancels a run with its running tasks in one call', async () => {
    const node = await start();
    node.worker.outcome = () => undefined;
    await node.publish(chain());
    const runId = await node.trigger('d');
    await node.until(runOf(runId), 'TaskScheduled');
    expect(await node.send('d', { type: 'abortRun', runId })).toMatchObject({ ok: true, result: { state: 'failed' } });
    await node.until('dag-d', 'RunClosed');
    expect(node.worker.cancelled).toEqual([`d:${runId}:a:1.1`]);
    expect(await node.send('d', { type: 'abortRun', runId })).toMatchObject({ ok: true, result: { instances: [] } });
  });

  it('runs a cleared finished run again, from the cleared task on', async () => {
    const node = await start();
    await node.publish(chain());
    const runId = await node.trigger('d');
    await node.until('dag-d', 'RunClosed');
    expect(await node.send('d', { type: 'clearTasks', runId, selection: { taskIds: ['b'] } })).toMatchObject({
      ok: true,
    });
    await node.until('dag-d', 'RunClosed', 2);
    expect(node.worker.begun).toEqual([`d:${runId}:a:1.1`, `d:${runId}:b:1.1`, `d:${runId}:b:2.1`]);
  });

  it('lets a cleared run wait for its place, also over a restart', async () => {
    const first = await start();
    await first.publish({ ...chain(), maxActiveRuns: 1 });
    const done = await first.trigger('d', { runId: 'done' });
    await first.until('dag-d', 'RunClosed');
    first.worker.outcome = () => undefined;
    await first.trigger('d', { runId: 'blocking' });
    await first.until(runOf('blocking'), 'TaskScheduled');
    expect(await first.send('d', { type: 'clearTasks', runId: done, selection: { taskIds: ['b'] } })).toMatchObject({
      ok: true,
      result: { state: 'queued' },
    });
    await first.crash();

    const second = await start(new Node(first.store, first.blobs));
    await second.until('dag-d', 'RunClosed', 3);
    expect((await second.types(runOf(done))).slice(-7)).toEqual(
      [
        ...['TaskCleared', 'RunReopened', 'RunResumed'],
        ...['TaskScheduled', 'TaskQueued', 'TaskStarted', 'TaskSucceeded', 'RunSucceeded'],
      ].slice(-7),
    );
    expect(second.worker.begun).toContain(`d:${done}:b:2.1`);
  });

  it('cancels a run that waits for its place, and says what it waits for', async () => {
    const node = await start();
    node.worker.outcome = () => undefined;
    await node.publish({ ...chain(), maxActiveRuns: 1 });
    await node.trigger('d', { runId: 'first' });
    await node.trigger('d', { runId: 'waiting' });
    const why = await node.send('d', { type: 'explainTask', runId: 'waiting', taskId: 'a', mapIndex: '' });
    expect(why).toMatchObject({
      ok: true,
      result: {
        reasons: expect.arrayContaining([
          { rule: 'max_active_runs', passed: false, reason: '1 of 1 active runs of the DAG' },
        ]),
      },
    });
    expect(await node.send('d', { type: 'abortRun', runId: 'waiting' })).toMatchObject({ ok: true });
    const closed = await node.until('dag-d', 'RunClosed');
    expect(JSON.parse(closed.data)).toEqual({ runId: 'waiting', state: 'failed', reason: 'aborted' });
    const again = await node.send('d', { type: 'abortRun', runId: 'waiting' });
    expect(again).toMatchObject({ ok: true, result: { state: 'failed', instances: [] } });
    expect(await node.send('d', { type: 'clearTasks', runId: 'waiting', selection: {} })).toMatchObject({
      code: 'conflict',
    });
    expect(await node.types(runOf('waiting'))).toEqual([]);
  });

  it('explains what an instance waits for', async () => {
    const node = await start();
    node.worker.outcome = () => undefined;
    await node.publish(chain());
    const runId = await node.trigger('d');
    const answer = await node.send('d', { type: 'explainTask', runId, taskId: 'b', mapIndex: '' });
    expect(answer).toMatchObject({
      ok: true,
      result: {
        state: 'none',
        reasons: expect.arrayContaining([
          expect.objectContaining({
            rule: 'trigger_rule',
            passed: false,
            reason: 'all_success: 0 of 1 upstream succeeded; waiting for 1',
          }),
        ]),
      },
    });
  });

  it('lets a paused DAG finish nothing new, and goes on when it is on again', async () => {
    const node = await start();
    node.worker.outcome = (a) => (a.attempt.taskId === 'a' ? undefined : { kind: 'success' });
    await node.publish(chain());
    const runId = await node.trigger('d');
    await node.until(runOf(runId), 'TaskScheduled');
    await node.send('d', { type: 'pauseDag' });
    node.worker.finish(`d:${runId}:a:1.1`, { kind: 'success' });
    await node.until(runOf(runId), 'TaskSucceeded');
    expect((await node.types(runOf(runId))).filter((t) => t === 'TaskScheduled')).toHaveLength(1);
    await node.send('d', { type: 'unpauseDag' });
    await node.until('dag-d', 'RunClosed');
  });
});

describe('retries, triggers and callbacks', () => {
  it('retries after the delay, by the timer', async () => {
    const node = await start();
    node.worker.outcome = (a) =>
      a.attempt.tryNumber === 1
        ? { kind: 'failed', error: { kind: 'exception', message: 'no' }, retryable: true }
        : { kind: 'success' };
    await node.publish(aDefinition('d', [aTask('a', { retries: 1, retryDelayMs: 20 })]));
    const runId = await node.trigger('d');
    await node.until(runOf(runId), 'RunSucceeded');
    expect(node.worker.begun).toEqual([`d:${runId}:a:1.1`, `d:${runId}:a:2.1`]);
  });

  it('waits for the run that a task triggered', async () => {
    const node = await start();
    node.worker.outcome = (a) =>
      a.attempt.dagId === 'd'
        ? {
            kind: 'trigger',
            request: { dagId: 'other', wait: true, allowedStates: ['success'], skipWhenAlreadyExists: false },
          }
        : { kind: 'success' };
    await node.publish(aDefinition('other', [aTask('x')]));
    await node.publish(aDefinition('d', [aTask('a', { callbacks: ['onSuccess'] })]));
    const runId = await node.trigger('d');
    await node.until('dag-d', 'RunClosed');
    expect(node.worker.callbacks.map((c) => [c.callback, c.attempt?.taskId])).toEqual([['onSuccess', 'a']]);
    expect(await node.types('dag-other')).toContain('RunClosed');
    expect(await node.types(runOf(runId))).toContain('TaskDeferred');
  });

  it('runs the callback of a task whose child is gone, and the DAG callback, before it closes the run', async () => {
    const node = await start();
    node.worker.outcome = () => ({
      kind: 'failed',
      error: { kind: 'exit', message: 'gone' },
      retryable: false,
      callbacksRan: false,
    });
    await node.publish(aDefinition('d', [aTask('a', { callbacks: ['onFailure'] })], { callbacks: ['onFailure'] }));
    await node.trigger('d');
    await node.until('dag-d', 'RunClosed');
    expect(node.worker.callbacks.map((c) => [c.callback, c.attempt?.taskId])).toEqual([
      ['onFailure', 'a'],
      ['onFailure', undefined],
    ]);
  });
});
