import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventStoreDb } from '@rondo/adapter-eventstoredb';
import type { Cluster } from '../../tools/cluster/cluster.ts';
import type { EngineName } from '../../tools/services/containers.ts';
import { cpuOf } from '../bench/cpu.ts';
import { bodyFaults } from './chaos/bodies.ts';
import { checkHistory } from './chaos/history.ts';
import { Scene, until } from './chaos/scene.ts';

/** `RONDO_AWAY_SECONDS=60` for a long one. */
const AWAY_SECONDS = Number(process.env['RONDO_AWAY_SECONDS'] ?? 15);
const TASKS = 60;
const ENGINES: readonly EngineName[] = ['kafka', 'eventstoredb', 'postgres'];
/** Of a core and of a log: what tries again without a pause takes it all, and writes megabytes. */
const [MOST_OF_A_CORE, MOST_BYTES] = [0.5, 500_000];
const LONG_MS = 600_000;

let scene: Scene;
let cluster: Cluster;

beforeAll(async () => {
  const about = { schedulers: 2, gateways: 2, workers: 2, slots: 2, firstPort: 7_400 };
  scene = new Scene({ tasks: TASKS, bodyMs: 500, ...about });
  ({ cluster } = scene);
  await cluster.start();
}, LONG_MS);

afterAll(() => scene.stop(), LONG_MS);

/** What each service has used of a core, and written, while an engine was away. */
async function whileAway(
  engine: EngineName,
): Promise<Record<string, { readonly core: number; readonly bytes: number }>> {
  const pids = Object.fromEntries(cluster.services.map(({ name, pid }) => [name, pid!]));
  const sizes = (): number[] => cluster.services.map(({ log }) => statSync(log).size);
  const used: Record<string, { core: number; bytes: number }> = {};
  await cluster.away(engine, async () => {
    // What was on its way first comes to its end.
    await sleep(5_000);
    const [cpu, written] = [cpuOf(pids), sizes()];
    await sleep(AWAY_SECONDS * 1_000);
    const [cpuAfter, writtenAfter] = [cpuOf(pids), sizes()];
    for (const [i, { name }] of cluster.services.entries())
      used[name] = { core: (cpuAfter[name]! - cpu[name]!) / AWAY_SECONDS, bytes: writtenAfter[i]! - written[i]! };
  });
  return used;
}

describe.each(ENGINES)('services whose %s is away', (engine) => {
  it(
    'wait for it without spinning, and lose nothing',
    async () => {
      const runId = `${engine}-1`;
      const before = (await scene.bodies()).length;
      const pids = cluster.services.map(({ pid }) => pid);
      await scene.trigger(runId);
      await until(async () => ((await scene.bodies()).length > before ? true : undefined));
      const used = await whileAway(engine);
      expect(await scene.ended(runId)).toBe('success');

      expect(cluster.services.filter(({ isRunning }) => !isRunning).map(({ name }) => name)).toEqual([]);
      expect(cluster.services.map(({ pid }) => pid)).toEqual(pids);
      const spinning = Object.entries(used).filter(
        ([, { core, bytes }]) => core > MOST_OF_A_CORE || bytes > MOST_BYTES,
      );
      expect(spinning).toEqual([]);
      const lines = (await scene.bodies()).filter(({ id }) => id.startsWith(`chaos:${runId}:`));
      expect(bodyFaults(lines).faults).toEqual([]);
      const ends = lines.flatMap(({ what, id }) => (what === 'end' ? [id.slice(0, id.lastIndexOf(':'))] : []));
      expect(new Set(ends).size).toBe(TASKS);
    },
    LONG_MS,
  );
});

it('the history of all that is whole, and nothing was decided twice', async () => {
  const store = eventStoreDb({ connectionString: cluster.eventStoreUrl });
  const { faults, byType } = await checkHistory(store);
  await store.close();
  expect(faults).toEqual([]);
  expect(byType).toMatchObject({ TaskSucceeded: ENGINES.length * (TASKS + 1), RunSucceeded: ENGINES.length });
});
