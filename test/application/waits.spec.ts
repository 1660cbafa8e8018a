import { afterEach, describe, expect, it } from '@jest/globals';
import { SensorEvents } from '@rondo/application';
import type { AttemptOutcome, WaitFor } from '@rondo/domain';
import { aDefinition, aTask, memoryEventStore } from '@rondo/testing';
import { Node } from './harness.ts';

const nodes: Node[] = [];
async function start(node = new Node()): Promise<Node> {
  nodes.push(node);
  return node.start();
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.crash();
});

type Wait = Exclude<WaitFor, { kind: 'dagRun' }>;
type Defer = Omit<Extract<AttemptOutcome, { kind: 'defer' }>, 'kind' | 'wait'>;
const deferring =
  (wait: Wait, change: Defer = {}) =>
  (): AttemptOutcome => ({ kind: 'defer', wait, ...change });

const eventsOf = (node: Node): SensorEvents =>
  new SensorEvents({ store: node.store, bus: node.bus, clock: { now: Date.now, at: () => () => undefined } });

async function send(node: Node, ...events: object[]): Promise<number[]> {
  const received = await eventsOf(node).receive(
    events.map((event, i) => ({ id: String(i), source: '/s', type: 'paid', ...event })),
    'user:ada',
  );
  if (!received.ok) throw new Error(JSON.stringify(received.error));
  return received.value.map(({ position }) => position);
}

/** A run of DAG `w` whose only task waits. */
async function waiting(node: Node, wait: Wait, change: Defer = {}): Promise<string> {
  node.worker.outcome = (assignment) =>
    assignment.attempt.dagId !== 'w' || assignment.resume !== undefined
      ? { kind: 'success' }
      : deferring(wait, change)();
  await node.publish(aDefinition('w', [aTask('t')]));
  const run = `dagRun-w:${await node.trigger('w')}`;
  await node.until(run, 'TaskDeferred');
  return run;
}

const dataOf = (event: { readonly data: string }) => JSON.parse(event.data) as Record<string, unknown>;
const paid = (change: Partial<Extract<Wait, { kind: 'event' }>> = {}): Wait => ({
  kind: 'event',
  eventType: 'paid',
  lookBackFrom: 0,
  ...change,
});

describe('a wait for an event', () => {
  it('is met by an event that comes, with the event as the return value and its position', async () => {
    const node = await start();
    const run = await waiting(node, paid());
    const [position] = await send(node, { data: { sum: 3 } });
    const data = dataOf(await node.until(run, 'TaskSucceeded'));
    expect(data['consumed']).toBe(position);
    expect(data['xcoms']).toEqual({
      return_value: { value: { id: '0', source: '/s', type: 'paid', data: { sum: 3 } } },
    });
  });

  it('is met by one that came before it began, back to where it looks', async () => {
    const node = await start();
    const [position] = await send(node, {}, {});
    const run = await waiting(node, paid());
    expect(dataOf(await node.until(run, 'TaskSucceeded'))['consumed']).toBe(position);
  });

  it('does not look back further than it is told', async () => {
    const node = await start();
    await send(node, {});
    await new Promise((resolve) => setTimeout(resolve, 5));
    const run = await waiting(node, paid({ lookBackFrom: Date.now() }));
    const [position] = await send(node, { id: 'new' });
    expect(dataOf(await node.until(run, 'TaskSucceeded'))['consumed']).toBe(position);
  });

  it('is met by source, subject and filter only', async () => {
    const node = await start();
    const run = await waiting(node, paid({ source: '/s', subject: 'x', filter: { data: { n: 3 } } }));
    const positions = await send(
      node,
      { subject: 'x', data: { n: 2 } },
      { source: '/other', subject: 'x', data: { n: 3 } },
      { data: { n: 3 } },
      { type: 'refunded', subject: 'x', data: { n: 3 } },
      { subject: 'x', data: { n: 3 }, id: 'it' },
    );
    expect(dataOf(await node.until(run, 'TaskSucceeded'))['consumed']).toBe(positions[4]);
  });

  it('counts as many events as it wants, before and after it began, a repeat once', async () => {
    const node = await start();
    await send(node, { id: 'a' }, { id: 'a' });
    const run = await waiting(node, paid({ count: 3 }));
    await send(node, { id: 'b' }, { id: 'a' });
    const [position] = await send(node, { id: 'c' });
    const data = dataOf(await node.until(run, 'TaskSucceeded'));
    expect(data['consumed']).toBe(position);
    expect(data['xcoms']).toMatchObject({ return_value: { value: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] } });
  });

  it('fails with the reason when its filter is none', async () => {
    const node = await start();
    const run = await waiting(node, paid({ filter: { sql: 'x' } }));
    expect(dataOf(await node.until(run, 'TaskFailed'))['error']).toMatchObject({
      message: 'filter is "sql"; allowed: one of exact, prefix, suffix, data, all, any, not',
    });
  });

  it('goes on in the child with what it was met with, and later waits of the try count later events', async () => {
    const node = await start();
    await send(node, { id: 'a' }, { id: 'b' });
    const resumed: unknown[] = [];
    node.worker.outcome = ({ resume }) => {
      if (resume !== undefined) resumed.push(resume);
      return resumed.length === 2 ? { kind: 'success' } : deferring(paid(), { resume: 'next' })();
    };
    await node.publish(aDefinition('w', [aTask('t')]));
    await node.trigger('w');
    await node.until('dag-w', 'RunClosed');
    expect(resumed).toMatchObject([
      { method: 'next', payload: { value: { id: 'a' } } },
      { method: 'next', payload: { value: { id: 'b' } } },
    ]);
  });

  it('is found again after a restart, also for an event that came meanwhile', async () => {
    const store = memoryEventStore();
    const first = await start(new Node(store));
    const run = await waiting(first, paid());
    await first.crash();
    nodes.splice(0);
    await send(first, { id: 'meanwhile' });
    const next = new Node(store, first.blobs);
    next.worker.outcome = first.worker.outcome;
    await start(next);
    expect(dataOf(await next.until(run, 'TaskSucceeded'))['xcoms']).toMatchObject({
      return_value: { value: { id: 'meanwhile' } },
    });
  });

  it('takes events of the topic, and tells of what is none', async () => {
    const node = await start();
    const told: string[] = [];
    const events = new SensorEvents({
      store: node.store,
      bus: node.bus,
      clock: { now: Date.now, at: () => () => undefined },
      onRefused: (message) => told.push(message),
    });
    await events.start();
    const run = await waiting(node, paid());
    await node.bus.publish('rondo.sensor.events', [
      { key: 'k', value: { id: '' } },
      { key: 'k', value: { id: '1', source: '/bus', type: 'paid' } },
    ]);
    await node.until(run, 'TaskSucceeded');
    expect(told).toEqual([expect.stringContaining('id: allowed is a text of 1 to 500 characters')]);
    await events.stop();
  });
});

describe('a wait for an asset', () => {
  const update = (node: Node, name: string, uri: string) =>
    node.store.append([
      {
        stream: `asset-${name}`,
        expected: 'any',
        events: [
          {
            id: crypto.randomUUID(),
            type: 'AssetUpdated',
            data: JSON.stringify({ name, uri, at: 1 }),
            meta: '{"at":1}',
          },
        ],
      },
    ]);

  it.each([
    ['name', { name: 'orders' }],
    ['URI', { uri: 's3://orders' }],
  ])('is met by its %s, before and after', async (_what, which) => {
    const node = await start();
    await update(node, 'others', 's3://others');
    const run = await waiting(node, { kind: 'asset', lookBackFrom: 0, ...which });
    await update(node, 'orders', 's3://orders');
    expect(dataOf(await node.until(run, 'TaskSucceeded'))['xcoms']).toMatchObject({
      return_value: { value: { name: 'orders' } },
    });
    const again = await waiting(node, { kind: 'asset', lookBackFrom: 0, ...which });
    await node.until(again, 'TaskSucceeded');
  });
});

describe('a wait for another DAG', () => {
  const other = (wait: Partial<Extract<Wait, { kind: 'run' }>>): Wait => ({
    kind: 'run',
    dagId: 'o',
    allowedStates: ['success'],
    failedStates: [],
    ...wait,
  });
  const publishOther = (node: Node) =>
    node.publish(
      aDefinition(
        'o',
        [aTask('a', { group: 'g' }), aTask('b', { group: 'g', upstream: ['a'] }), aTask('c', { upstream: ['b'] })],
        {
          groups: [{ groupId: 'g' }],
        },
      ),
    );

  it.each([
    ['the run by its id', { runId: 'r1' }],
    ['the run by its logical date', { logicalDate: 86_400_000 }],
    ['a task', { runId: 'r1', taskIds: ['b'] }],
    ['tasks by the date', { logicalDate: 86_400_000, taskIds: ['a', 'c'] }],
    ['a group', { runId: 'r1', groupIds: ['g'] }],
  ])('is met by %s, that comes later or is there', async (_what, which) => {
    const node = await start();
    await publishOther(node);
    const before = await waiting(node, other(which));
    await node.trigger('o', { runId: 'r1', logicalDate: 86_400_000 });
    expect(dataOf(await node.until(before, 'TaskSucceeded'))).toMatchObject({
      consumed: expect.any(Number),
      xcoms: { return_value: { value: { dagId: 'o', runId: 'r1' } } },
    });
    await node.until('dag-o', 'RunClosed');
    const after = await waiting(node, other(which));
    await node.until(after, 'TaskSucceeded');
  });

  it('waits for every instance of a mapped task, also of one that is mapped meanwhile', async () => {
    const node = await start();
    const length = { kind: 'output' as const, taskId: 'a', path: [] };
    const expand = { kind: 'product' as const, over: [{ name: 'x', length }] };
    await node.publish(aDefinition('o', [aTask('a'), aTask('b', { upstream: ['a'], expand })]));
    const run = await waiting(node, other({ runId: 'r1', taskIds: ['b'] }));
    const { outcome } = node.worker;
    node.worker.outcome = (a) => {
      if (a.attempt.dagId === 'w') return outcome(a);
      if (a.attempt.taskId === 'a') return { kind: 'success', lengths: { '[]': 3 } };
      return a.attempt.mapIndex[0] === 1 ? undefined : { kind: 'success' };
    };
    await node.trigger('o', { runId: 'r1' });
    await node.until('dagRun-o:r1', 'TaskSucceeded', 3);
    expect(await node.types(run)).not.toContain('TaskSucceeded');
    node.worker.finish('o:r1:b[1]:1.1', { kind: 'success' });
    expect(dataOf(await node.until(run, 'TaskSucceeded'))['consumed']).toEqual(expect.any(Number));
  });

  it('is met before the run ends, when the task that it waits for has', async () => {
    const node = await start();
    await publishOther(node);
    const run = await waiting(node, other({ runId: 'r1', taskIds: ['a'] }));
    const outcome = node.worker.outcome;
    node.worker.outcome = (a) => (a.attempt.taskId === 'b' ? undefined : outcome(a));
    await node.trigger('o', { runId: 'r1' });
    await node.until(run, 'TaskSucceeded');
    expect(await node.types('dag-o')).not.toContain('RunClosed');
  });

  it.each([
    [
      'fails by a failed state',
      { failedStates: ['failed' as const] },
      'TaskFailed',
      "task 'b' in run 'r1' of DAG 'o' is failed",
    ],
    [
      'is skipped by a skipped one',
      { skippedStates: ['failed' as const] },
      'TaskSkipped',
      "task 'b' in run 'r1' of DAG 'o' is failed",
    ],
  ])('%s', async (_what, states, type, reason) => {
    const node = await start();
    await publishOther(node);
    const run = await waiting(node, other({ runId: 'r1', taskIds: ['b'], ...states }));
    node.worker.outcome = ({ attempt }) =>
      attempt.taskId === 'b'
        ? { kind: 'failed', error: { kind: 'exception', message: 'x' }, retryable: false }
        : { kind: 'success' };
    await node.trigger('o', { runId: 'r1' });
    expect(JSON.stringify(dataOf(await node.until(run, type)))).toContain(reason);
  });

  it('waits on for a failed run that is neither allowed nor failed, until it is cleared and succeeds', async () => {
    const node = await start();
    await publishOther(node);
    const whole = await waiting(node, other({ runId: 'r1' }));
    const tasks = `dagRun-w:${await node.trigger('w')}`;
    await node.until(tasks, 'TaskDeferred');
    let ok = false;
    node.worker.outcome = () =>
      ok ? { kind: 'success' } : { kind: 'failed', error: { kind: 'exception', message: 'x' }, retryable: false };
    await node.trigger('o', { runId: 'r1' });
    await node.until('dag-o', 'RunClosed');
    ok = true;
    await node.send('o', { type: 'clearTasks', runId: 'r1', selection: {} });
    for (const run of [whole, tasks])
      expect(dataOf(await node.until(run, 'TaskSucceeded'))['consumed']).toEqual(expect.any(Number));
  });

  it.each([
    [{ dagId: 'nobody' }, "there is no DAG 'nobody'"],
    [{ taskIds: ['z'] }, "DAG 'o' has no task 'z'"],
    [{ groupIds: ['z'] }, "DAG 'o' has no group 'z'"],
  ])('fails at once for %j when it asks for existence', async (change, message) => {
    const node = await start();
    await publishOther(node);
    await node.trigger('o', { runId: 'r1' });
    await node.until('dag-o', 'RunClosed');
    const run = await waiting(node, other({ runId: 'r1', checkExistence: true, ...change }));
    expect(dataOf(await node.until(run, 'TaskFailed'))['error']).toMatchObject({ message });
  });
});

describe('a task that ends by its wait', () => {
  it.each([
    ['onSuccess', { kind: 'met' }],
    ['onSkipped', { kind: 'skipped', reason: 'no' }],
    ['onFailure', { kind: 'failed', error: { kind: 'exception', message: 'no' }, retryable: false }],
  ] as const)('has its %s run apart, and its run closed after it', async (callback, answer) => {
    const node = await start();
    node.worker.outcome = deferring({ kind: 'poll', everyMs: 1_000 });
    await node.publish(aDefinition('w', [aTask('t', { callbacks: ['onSuccess', 'onSkipped', 'onFailure'] })]));
    await node.until(`dagRun-w:${await node.trigger('w')}`, 'TaskDeferred');
    await watchedBy(node);
    node.worker.waited([...node.worker.watched.keys()][0]!, answer);
    await node.until('dag-w', 'RunClosed');
    expect(node.worker.callbacks).toMatchObject([{ callback, attempt: { taskId: 't', tryNumber: 1, leg: 1 } }]);
  });
});

/** Resolves when the worker watches something. */
async function watchedBy(node: Node): Promise<void> {
  for (let i = 0; i < 400 && node.worker.watched.size === 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a wait for the triggerer', () => {
  const poll: Wait = { kind: 'poll', everyMs: 1_000 };

  it('is with the worker, beside its slots, until it is answered', async () => {
    const node = await start();
    const run = await waiting(node, poll);
    await watchedBy(node);
    const [watch] = [...node.worker.watched.values()];
    expect(watch).toMatchObject({ wait: poll, assignment: { attempt: { taskId: 't', tryNumber: 1, leg: 1 } } });
    expect(node.gateway.status().assigned).toBe(0);
    node.worker.waited(watch!.id, { kind: 'met', payload: { value: 7 } });
    expect(dataOf(await node.until(run, 'TaskSucceeded'))['xcoms']).toEqual({ return_value: { value: 7 } });
  });

  it.each([
    ['marked', { type: 'markTasks', selection: {}, state: 'success' }],
    ['cleared', { type: 'clearTasks', selection: {} }],
    ['cancelled', { type: 'abortRun' }],
  ] as const)('is taken back when its task is %s', async (_what, command) => {
    const node = await start();
    const run = await waiting(node, poll);
    await watchedBy(node);
    const [id] = [...node.worker.watched.keys()];
    node.worker.outcome = () => undefined;
    await node.send('w', { ...command, runId: run.slice('dagRun-w:'.length) } as never);
    for (let i = 0; i < 100 && node.worker.watched.has(id!); i++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect([...node.worker.watched.keys()]).toEqual([]);
  });

  it('is stated again after a restart', async () => {
    const store = memoryEventStore();
    const first = await start(new Node(store));
    const run = await waiting(first, poll);
    await first.crash();
    nodes.splice(0);
    const next = await start(new Node(store, first.blobs));
    await watchedBy(next);
    expect([...next.worker.watched.keys()]).toEqual([`w:${run.slice('dagRun-w:'.length)}:t:1.1`]);
  });
});
