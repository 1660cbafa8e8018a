import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aTask } from '@rondo/testing';
import { until } from './kit.ts';
import { World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await new World().open();
});
afterEach(() => world.close());

const inPod = (taskId: string, change: Parameters<typeof aTask>[1] = {}) =>
  aTask(taskId, { executor: 'kubernetes', ...change });
const said = (): string[] => {
  const file = join(world.folder, 'work/said');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};
const pods = (): string[] => world.cluster.api.store.list('pods').map(({ metadata }) => metadata.name);
const TIMEOUT_MS = 120_000;

describe('a DAG whose tasks run in pods', () => {
  it(
    'runs, each attempt in a process of its own, and leaves nothing behind',
    async () => {
      world.node();
      await world.startGateway(20_000);
      const tasks = [inPod('a'), inPod('b', { upstream: ['a'] })];
      await world.publish('shop', tasks, {
        a: `console.log('hello from a'); say(process.ppid); return 7;`,
        b: `say(process.ppid);`,
      });
      // The server forgets its history meanwhile.
      await until(() => pods().length > 0);
      world.cluster.api.compact();
      expect(await world.ended('shop')).toBe('RunSucceeded');
      expect(new Set(said()).size).toBe(2);
      expect(world.events('shop', 'a').find(({ type }) => type === 'TaskQueued')!.data).toMatchObject({
        executor: 'kubernetes',
        worker: 'kubernetes',
      });
      const attempt = { dagId: 'shop', runId: 'r', taskId: 'a', mapIndex: [], tryNumber: 1, leg: 1 };
      expect((await world.logs.read(attempt)).lines.map(({ text }) => text)).toContain('hello from a');
      await until(() => pods().length === 0 && world.cluster.api.store.list('secrets').length === 0);
    },
    TIMEOUT_MS,
  );

  it(
    'goes on when the executor is killed: the next one adopts its pods, begun and not',
    async () => {
      const first = world.node({ memory: '1Gi' });
      await world.startGateway(20_000);
      const large = { resources: { memory: '4Gi' } };
      const body = (name: string): string =>
        `say('begun ${name}'); while (!existsSync(folder + '/go')) await sleep(20); say('done ${name}');`;
      const tasks = [inPod('runs'), inPod('waits', large)];
      await world.publish('shop', tasks, { runs: body('runs'), waits: body('waits') });
      await until(() => said().includes('begun runs') && pods().length === 2, 60_000);
      const before = pods();
      await world.gateway!.stop(0);
      await world.startGateway(20_000);
      // A larger node comes.
      world.node({ node: 'node-2' });
      await until(() => said().includes('begun waits'), 60_000);
      expect(pods()).toEqual(before);
      expect(first.pids).toHaveLength(1);
      writeFileSync(join(world.folder, 'work/go'), '');
      expect(await world.ended('shop')).toBe('RunSucceeded');
      expect(said().toSorted()).toEqual(['begun runs', 'begun waits', 'done runs', 'done waits']);
    },
    TIMEOUT_MS,
  );

  const onLinux = process.platform === 'linux' ? it : it.skip;
  onLinux(
    'is given more memory by its retry policy when its container ran out of it [skipped: needs /proc]',
    async () => {
      world.node();
      await world.startGateway(20_000);
      const task = inPod('eats', {
        retries: 2,
        retryDelayMs: 10,
        resources: { memory: '600Mi' },
        retryPolicy: [
          { kind: ['outOfMemory'], action: 'retry', delaysMs: [10], with: { resources: { memory: 'x4' } } },
        ],
      });
      const eats = `const held = Buffer.alloc(700_000_000, 1); say('eats ' + ctx.resources.memory); await sleep(1_000); return held.length;`;
      await world.publish('shop', [task], { eats });
      expect(await world.ended('shop')).toBe('RunSucceeded');
      const retry = world.events('shop', 'eats').find(({ type }) => type === 'TaskRetryScheduled')!;
      expect(retry.data).toMatchObject({
        error: { kind: 'exit', type: 'OOMKilled' },
        overrides: { resources: { memory: '2400Mi' } },
      });
      expect(said().at(-1)).toBe('eats 2400Mi');
    },
    TIMEOUT_MS,
  );

  it(
    'fails with the message of its image that cannot be had',
    async () => {
      world.node({ hasImage: (image) => image !== 'missing:1' });
      await world.startGateway(20_000, { startLimitMs: 500 });
      const pod = { spec: { containers: [{ name: 'attempt', image: 'missing:1' }] } };
      await world.publish('shop', [inPod('a', { executorConfig: { pod } })], { a: '' });
      expect(await world.ended('shop')).toBe('RunFailed');
      expect(world.events('shop', 'a').find(({ type }) => type === 'TaskFailed')!.data.error).toMatchObject({
        type: 'ImagePullBackOff',
        message: expect.stringContaining('Back-off pulling image "missing:1"'),
      });
      await until(() => pods().length === 0);
    },
    TIMEOUT_MS,
  );

  it(
    'begins anew on another node when its node is gone, after its lease',
    async () => {
      const node = world.node();
      await world.startGateway(6_000);
      await world.publish('shop', [inPod('a')], {
        a: `say('begun'); while (!existsSync(folder + '/go')) await sleep(20);`,
      });
      await until(() => said().length === 1, 60_000);
      const [name] = pods() as [string];
      await node.stop();
      writeFileSync(join(world.folder, 'work/go'), '');
      world.node({ node: 'node-2' });
      // The node's pods are marked, then taken away by force.
      world.cluster.api.store.update('pods', 'default', name, ({ status }) => {
        status!.phase = 'Failed';
        status!.conditions = [
          { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message: 'node not found' },
        ];
      });
      world.cluster.api.store.delete('pods', 'default', name, 0);
      expect(await world.ended('shop')).toBe('RunSucceeded');
      expect(said()).toHaveLength(2);
      await until(() => pods().length === 0);
    },
    TIMEOUT_MS,
  );
});
