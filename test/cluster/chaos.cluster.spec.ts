import { eventStoreDb } from '@rondo/adapter-eventstoredb';
import { bodyFaults, type BodyLine } from './chaos/bodies.ts';
import { faults, type Fault } from './chaos/faults.ts';
import { checkHistory } from './chaos/history.ts';
import { Scene, until } from './chaos/scene.ts';

const TASKS = Number(process.env['RONDO_CHAOS_TASKS'] ?? 2_000);
const LEASE_SECONDS = 8;
const RUN = 'chaos-1';

let scene: Scene;
beforeAll(async () => {
  scene = new Scene({
    ...{ tasks: TASKS, bodyMs: 900, schedulers: 2, gateways: 2, workers: 3, slots: 4 },
    ...{ leaseSeconds: LEASE_SECONDS, firstPort: 7_700 },
    env: { RONDO_KAFKA_SESSION_TIMEOUT: '6000' },
  });
  await scene.cluster.start();
}, 180_000);
afterAll(() => scene.stop(), 120_000);

it(`a run of ${TASKS} tasks succeeds while every service is killed, stopped and cut off: nothing overlaps, nothing is decided twice`, async () => {
  const { cluster } = scene;
  await scene.trigger(RUN);
  await until(async () => ((await scene.bodies()).length > 0 ? true : undefined));
  const happened: Fault[] = [];
  for await (const fault of faults(cluster, { pauseMs: (LEASE_SECONDS + 4) * 1_000, brokerAwayMs: 30_000 }))
    happened.push(fault);
  const state = await scene.ended(RUN);

  const lines = await scene.bodies();
  // A run that is over before the last fault shows nothing of it.
  const lastBegin = Math.max(...lines.flatMap(({ what, at }) => (what === 'begin' ? [at] : [])));
  expect(lastBegin).toBeGreaterThan(happened.at(-1)!.over);
  const seen = bodyFaults(lines);
  const store = eventStoreDb({ connectionString: cluster.eventStoreUrl });
  const history = await checkHistory(store);
  await store.close();
  process.stderr.write(
    `${JSON.stringify({ ...figures(lines, happened), again: seen.again, events: history.byType }, null, 1)}\n`,
  );
  expect({ state, overlaps: seen.faults, history: history.faults }).toEqual({
    state: 'success',
    overlaps: [],
    history: [],
  });
  expect(
    new Set(lines.filter(({ what }) => what === 'end').map(({ id }) => id.slice(0, id.lastIndexOf(':')))).size,
  ).toBe(TASKS);
  expect(history.byType).toMatchObject({ TaskSucceeded: TASKS + 1, RunSucceeded: 1 });
}, 1_200_000);

/** For each fault the longest time, from its beginning to ten seconds after its end, in which no body began. */
function figures(lines: readonly BodyLine[], happened: readonly Fault[]): object {
  const begins = lines.flatMap(({ what, at }) => (what === 'begin' ? [at] : [])).toSorted((a, b) => a - b);
  const pauses = happened.map(({ what, at, over }) => {
    const within = [at, ...begins.filter((t) => t > at && t < over + 10_000)];
    const gaps = within.slice(1).map((t, i) => t - within[i]!);
    return [what, `${Math.round(Math.max(0, ...gaps))} ms`];
  });
  return { bodies: begins.length, longestPause: Object.fromEntries(pauses) };
}
