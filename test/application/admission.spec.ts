import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AdminService } from '@rondo/application';
import type { Demand } from '@rondo/domain';
import type { EventStore, SecretBox } from '@rondo/ports';
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

/** Pools are no secrets. */
const secrets: SecretBox = {
  seal: () => {
    throw new Error('nothing is sealed here');
  },
  open: () => {
    throw new Error('nothing is opened here');
  },
} as SecretBox;

const adminOf = (eventStore: EventStore): AdminService =>
  new AdminService({ eventStore, secrets, clock: { now: Date.now, at: () => () => {} }, ids: { uuid: randomUUID } });

async function setPool(store: EventStore, name: string, slots: number): Promise<void> {
  const done = await adminOf(store).setPool({ name, slots }, { actor: 'user:ada' });
  if (!done.ok) throw new Error(done.error.message);
}

const attempt = (task: string): string => `d:r:${task}:1.1`;

/** Resolves when the worker has begun these, in this order. */
async function begun(node: Node, tasks: readonly string[]): Promise<void> {
  for (let i = 0; i < 400 && node.worker.begun.length < tasks.length; i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(node.worker.begun).toEqual(tasks.map(attempt));
}

/** What the admission says of an attempt that was published: what holds it back, or where it is. */
async function reasonFor(node: Node, task: string, change: Partial<Demand> = {}): Promise<string> {
  const demand = { pool: 'default_pool', poolSlots: 1, queue: 'default', priority: 1, ...change };
  for (let i = 0; i < 400; i++) {
    const { stand, reasons } = await node.gateway.admissionOf(attempt(task), demand);
    if (stand === 'admitted') return reasons[0]!.reason;
    if (stand === 'waiting') return reasons.find((each) => !each.passed)?.reason ?? '';
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return 'never published';
}

/** A platform whose attempts run until the test ends them. */
async function playing(tasks: Parameters<typeof aDefinition>[1], store?: EventStore): Promise<Node> {
  const node = new Node(store);
  node.worker.outcome = () => undefined;
  await start(node);
  await node.publish(aDefinition('d', tasks));
  await node.trigger('d', { runId: 'r' });
  return node;
}

describe('admission', () => {
  it('lets no more into a pool than it has slots, by priority, and the next when one ends', async () => {
    const store = memoryEventStore();
    await setPool(store, 'small', 2);
    const node = await playing(
      [
        aTask('a', { pool: 'small' }),
        aTask('b', { pool: 'small', poolSlots: 2, priorityWeight: 9 }),
        aTask('c', { pool: 'small', priorityWeight: 5 }),
        aTask('free'),
      ],
      store,
    );
    await begun(node, ['b', 'free']);
    expect(await reasonFor(node, 'c')).toBe("pool 'small' is full: 2 of 2 slots taken, and it takes 1");
    expect(await reasonFor(node, 'b')).toBe("admitted: it is with worker 'w1'");
    expect(await node.gateway.poolLoads(['small', 'default_pool', 'none'])).toEqual([
      { occupied: 2, deferred: 0, queued: 2 },
      { occupied: 1, deferred: 0, queued: 0 },
      { occupied: 0, deferred: 0, queued: 0 },
    ]);
    node.worker.finish(attempt('b'), { kind: 'success' });
    await begun(node, ['b', 'free', 'c', 'a']);
    for (const task of ['a', 'c', 'free']) node.worker.finish(attempt(task), { kind: 'success' });
    await node.until('dagRun-d:r', 'RunSucceeded');
    expect(await node.gateway.poolLoads(['small'])).toEqual([{ occupied: 0, deferred: 0, queued: 0 }]);
  });

  it('frees the slots of an attempt that is cancelled or lost', async () => {
    const store = memoryEventStore();
    await setPool(store, 'small', 1);
    const node = await playing([aTask('a', { pool: 'small' }), aTask('b', { pool: 'small' })], store);
    await begun(node, ['a']);
    await node.send('d', { type: 'abortRun', runId: 'r' });
    await node.until('dag-d', 'RunClosed');
    expect(await node.gateway.poolLoads(['small'])).toEqual([{ occupied: 0, deferred: 0, queued: 0 }]);
  });

  it('follows pools as they are made, resized and deleted', async () => {
    const store = memoryEventStore();
    const node = await playing(
      [aTask('a', { pool: 'late' }), aTask('b', { pool: 'late' }), aTask('c', { pool: 'late', poolSlots: 3 })],
      store,
    );
    expect(await reasonFor(node, 'a')).toBe("there is no pool 'late': it waits until one is set");
    await setPool(store, 'late', 1);
    await begun(node, ['a']);
    expect(await reasonFor(node, 'c')).toBe(
      "it takes 3 slots and pool 'late' has 1: it waits until the pool is made larger",
    );
    await setPool(store, 'late', 2);
    await begun(node, ['a', 'b']);
    await adminOf(store).deletePool('late', { actor: 'user:ada' });
    node.worker.finish(attempt('a'), { kind: 'success' });
    await node.until('dagRun-d:r', 'TaskSucceeded');
    expect(await reasonFor(node, 'c')).toContain("there is no pool 'late'");
    await setPool(store, 'late', -1);
    await begun(node, ['a', 'b', 'c']);
  });

  it.each([
    ['parallelism', { parallelism: 2 }, 2],
    ['the sequential executor', { executor: 'sequential' }, 1],
  ] as const)('of %s is a limit, however short the attempts are', async (_name, change, most) => {
    const node = await start(new Node(undefined, undefined, change));
    let atOnce = 0;
    node.worker.outcome = () => {
      atOnce = Math.max(atOnce, node.worker.assigned.size);
      return { kind: 'success' };
    };
    const tasks = Array.from({ length: 60 }, (_, i) => aTask(`t${i}`));
    await node.publish({ ...aDefinition('d', tasks), maxActiveTasks: 60 });
    await node.trigger('d', { runId: 'r' });
    await node.until('dagRun-d:r', 'RunSucceeded');
    expect(atOnce).toBe(most);
  });

  it('says which queue or executor is not there, and that the slots are taken', async () => {
    const node = await playing([
      aTask('far', { executor: 'cluster', priorityWeight: 9 }),
      aTask('gpu', { queue: 'gpu', priorityWeight: 9 }),
      ...['a', 'b', 'c', 'd', 'e'].map((id) => aTask(id)),
    ]);
    await begun(node, ['a', 'b', 'c', 'd']);
    expect(await reasonFor(node, 'far')).toBe("there is no executor 'cluster'; there is: local");
    expect(await reasonFor(node, 'gpu')).toBe("no worker serves queue 'gpu'; served: default");
    expect(await reasonFor(node, 'e')).toBe('4 attempts are with the workers, which have 4 slots');
    const nowhere = { pool: 'nowhere', poolSlots: 1, queue: 'default', priority: 1 };
    expect(await node.gateway.admissionOf('x:y:z:1.1', nowhere)).toMatchObject({ stand: 'unknown' });
  });
});

describe('administration of pools', () => {
  it('sets, changes and deletes; keeps the default pool; says what is not allowed', async () => {
    const admin = adminOf(memoryEventStore());
    const by = { actor: 'user:ada' };
    expect(await admin.setPool({ name: 'p', slots: 3 }, by)).toMatchObject({ ok: true, value: { created: true } });
    expect(await admin.setPool({ name: 'p', slots: -1 }, by)).toMatchObject({ ok: true, value: { created: false } });
    expect(await admin.setPool({ name: 'p', slots: 3 }, { ...by, create: true })).toMatchObject({
      error: { code: 'conflict' },
    });
    expect(await admin.setPool({ name: 'p', slots: -2 }, by)).toMatchObject({
      error: { code: 'invalid', message: expect.stringContaining('-2') },
    });
    expect(await admin.setPool({ name: 'p', slots: 1, includeDeferred: true }, by)).toMatchObject({ ok: true });
    expect(await admin.deletePool('p', by)).toMatchObject({ ok: true });
    expect(await admin.deletePool('p', by)).toMatchObject({ error: { code: 'not_found' } });
    expect(await admin.setPool({ name: 'default_pool', slots: 5 }, by)).toMatchObject({ ok: true });
    expect(await admin.deletePool('default_pool', by)).toMatchObject({ error: { code: 'invalid' } });
  });
});
