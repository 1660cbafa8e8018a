import { afterEach, describe, expect, it } from '@jest/globals';
import { secretBox } from '@rondo/adapter-embedded';
import { keyIdOf, RunEraser, RunKeyring } from '@rondo/application';
import type { DagCommand } from '@rondo/contracts';
import type { RunKeys } from '@rondo/ports';
import { aDefinition, aTask, memoryEventStore, memoryRunKeys } from '@rondo/testing';
import { clock, memoryBlobs, Node } from './harness.ts';

const nodes: Node[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.crash();
});

const TASKS = [aTask('a'), aTask('b', { upstream: ['a'], inputs: ['a'] })];
const KEY = keyIdOf('d', 'r');

/** A world that outlives its schedulers. */
function aWorld(keys: RunKeys = memoryRunKeys()) {
  const store = memoryEventStore();
  const blobs = memoryBlobs();
  const world = { keys, isLogStoreAway: false, deleted: [] as string[] };
  const start = async (
    sealing: { readonly sealsAll?: boolean; readonly isWithout?: true; readonly isIdle?: true } = {},
  ): Promise<Node> => {
    const keyring = new RunKeyring(world.keys, secretBox(Buffer.alloc(32, 5)));
    const logs = {
      deleteRun: async (_dagId: string, runId: string) => {
        if (world.isLogStoreAway) throw new Error('the log store is away');
        world.deleted.push(runId);
      },
    };
    const eraser = new RunEraser({ keyring, logs, clock, onProblem: () => undefined });
    const { isWithout, isIdle, ...rest } = sealing;
    const node = new Node(store, blobs, {}, isWithout === true ? {} : { keyring, eraser, ...rest });
    node.worker.outcome = () =>
      isIdle === true ? undefined : { kind: 'success', xcoms: { return_value: { value: 'Ada' } } };
    nodes.push(node);
    return node.start();
  };
  return { world, store, start };
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`${what} did not come`);
}

const send = (node: Node, command: DagCommand) => node.send('d', command);
const erase = (node: Node) => send(node, { type: 'eraseRun', runId: 'r' });
const sealed = aDefinition('d', TASKS, { sealed: true });

async function ended(node: Node, definition = sealed): Promise<void> {
  await node.publish(definition);
  await node.trigger('d', { runId: 'r', conf: { name: 'Ada' } });
  await node.until('dag-d', 'RunClosed');
}

describe('a run of a sealed DAG', () => {
  it('has nothing in clear in the store, and goes on with its values after a restart', async () => {
    const { store, start } = aWorld();
    const node = await start();
    node.worker.outcome = ({ attempt }) =>
      attempt.taskId === 'a' ? { kind: 'success', xcoms: { return_value: { value: 'Ada' } } } : undefined;
    await node.publish(sealed);
    await node.trigger('d', { runId: 'r', conf: { name: 'Ada' } });
    await node.until('dagRun-d:r', 'TaskScheduled', 2);
    for await (const page of store.readAll(0)) expect(JSON.stringify(page)).not.toContain('Ada');
    await node.crash();
    const again = await start({ isIdle: true });
    await until('an assignment', () => again.worker.assigned.size > 0);
    expect([...again.worker.assigned.values()][0]).toMatchObject({
      run: { conf: { name: 'Ada' }, sealed: true },
      inputs: { a: { value: 'Ada' } },
    });
  });

  it('is erased once, with its key and its logs, when the answer comes', async () => {
    const { world, start } = aWorld();
    const node = await start();
    await ended(node);
    expect(await erase(node)).toMatchObject({ ok: true, result: { runId: 'r' } });
    expect(await world.keys.get(KEY)).toBe('erased');
    expect(await world.keys.unfinished([KEY])).toEqual([]);
    expect(world.deleted).toEqual(['r']);
    expect(await erase(node)).toMatchObject({ ok: true });
    expect((await node.types('dag-d')).filter((type) => type === 'RunErased')).toHaveLength(1);
  });

  it('takes nothing more once it is erased, and can still be asked about', async () => {
    const { start } = aWorld();
    const node = await start();
    await ended(node);
    await erase(node);
    const before = await node.store.head();
    const commands: DagCommand[] = [
      { type: 'clearTasks', runId: 'r', selection: {} },
      { type: 'markRun', runId: 'r', state: 'failed' },
      { type: 'noteRun', runId: 'r', note: 'late' },
      { type: 'changeXCom', runId: 'r', taskId: 'a', mapIndex: '', key: 'k', value: { value: 1 } },
    ];
    for (const command of commands)
      expect(await send(node, command)).toMatchObject({
        ok: false,
        code: 'conflict',
        message: expect.stringContaining("run 'r' was erased at"),
      });
    expect(await send(node, { type: 'explainRun', runId: 'r' })).toMatchObject({ ok: true });
    expect(await node.store.head()).toBe(before);
    expect(node.problems).toEqual([]);
  });

  it('is not erased before it has ended, nor one that does not exist', async () => {
    const { world, start } = aWorld();
    const node = await start();
    node.worker.outcome = () => undefined;
    await node.publish(sealed);
    await node.trigger('d', { runId: 'r' });
    expect(await erase(node)).toMatchObject({
      ok: false,
      code: 'conflict',
      message: expect.stringContaining('active'),
    });
    expect(await send(node, { type: 'eraseRun', runId: 'x' })).toMatchObject({ ok: false, code: 'not_found' });
    expect(await world.keys.get(KEY)).toMatchObject({ key: expect.any(String) });
  });

  it('is finished by the next start when the first could not delete everything', async () => {
    const { world, start } = aWorld();
    const node = await start();
    await ended(node);
    world.isLogStoreAway = true;
    await erase(node);
    expect(await world.keys.get(KEY)).toBe('erased');
    expect(await world.keys.unfinished([KEY])).toEqual([KEY]);
    await node.crash();
    world.isLogStoreAway = false;
    await start();
    await until('the end of the erasure', async () => (await world.keys.unfinished([KEY])).length === 0);
    expect(world.deleted).toEqual(['r']);
  });

  it('is passed over by a backfill once it is erased', async () => {
    const { start } = aWorld();
    const node = await start();
    const daily = { kind: 'cron_interval', expression: '0 0 * * *', timezone: 'UTC' } as const;
    const date = Date.UTC(2024, 0, 1);
    await node.publish(aDefinition('d', TASKS, { sealed: true, timetable: daily, startDate: Date.now() + 9e8 }));
    await node.trigger('d', { runId: 'r', logicalDate: date });
    await node.until('dag-d', 'RunClosed');
    await erase(node);
    const create = { type: 'createBackfill', from: date, to: date, reprocess: 'completed' } as const;
    expect(await send(node, create)).toMatchObject({ ok: true });
    const passed = await node.until('dag-d', 'BackfillDatesPassed');
    expect(JSON.parse(passed.data)).toMatchObject({ dates: [{ runId: 'r', reason: 'erased' }] });
    expect(await send(node, { ...create, conf: { name: 'Ada' } })).toMatchObject({
      ok: false,
      message: expect.stringContaining('a backfill takes no conf'),
    });
  });
});

describe('a run whose key is lost', () => {
  it('is quarantined, and the others go on', async () => {
    const { world, start } = aWorld();
    const node = await start();
    node.worker.outcome = () => undefined;
    await node.publish(sealed);
    await node.trigger('d', { runId: 'r', conf: { name: 'Ada' } });
    await node.crash();
    world.keys = memoryRunKeys();
    const again = await start();
    await until('the quarantine', () => again.scheduler.quarantine().size > 0);
    expect([...again.scheduler.quarantine()]).toEqual([
      ['d:r', expect.stringContaining('is not in the store of keys')],
    ]);
    await again.trigger('d', { runId: 's' });
    await again.until('dagRun-d:s', 'TaskSucceeded');
  });
});

describe('which runs are sealed', () => {
  const requested = async (node: Node) => JSON.parse((await node.until('dag-d', 'RunRequested')).data) as object;

  it('all, where the platform seals all', async () => {
    const { start } = aWorld();
    const node = await start({ sealsAll: true });
    await ended(node, aDefinition('d', TASKS));
    expect(await requested(node)).toMatchObject({ sealed: true, conf: { $sealed: expect.any(String) } });
  });

  it('else none but those of sealed DAGs: another cannot be erased, and nothing of it is deleted', async () => {
    const { world, start } = aWorld();
    const node = await start();
    await ended(node, aDefinition('d', TASKS));
    expect(await requested(node)).toMatchObject({ conf: { name: 'Ada' } });
    expect(await erase(node)).toMatchObject({
      ok: false,
      code: 'conflict',
      message: expect.stringContaining("run 'r' was not sealed, and a history cannot be changed"),
    });
    expect(world.deleted).toEqual([]);
    expect(await world.keys.get(KEY)).toBeUndefined();
  });

  it('none is written by a scheduler without keys', async () => {
    const { store, start } = aWorld();
    const node = await start({ isWithout: true });
    await node.publish(sealed);
    await expect(node.trigger('d', { runId: 'r', conf: { name: 'Ada' } })).rejects.toThrow('there is no store of keys');
    for await (const page of store.readAll(0)) expect(JSON.stringify(page)).not.toContain('Ada');
  });
});
