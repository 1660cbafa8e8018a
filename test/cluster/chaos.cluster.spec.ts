import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventStoreDb } from '@rondo/adapter-eventstoredb';
import { Cluster } from '../../tools/cluster/cluster.ts';
import { bodyFaults, chaosDag, readBodies, type BodyLine } from './chaos/bodies.ts';
import { faults, type Fault } from './chaos/faults.ts';
import { checkHistory } from './chaos/history.ts';

const TASKS = Number(process.env['RONDO_CHAOS_TASKS'] ?? 2_000);
const LEASE_SECONDS = 8;
const RUN = 'chaos-1';

let folder: string;
let cluster: Cluster;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rondo-chaos-'));
  // The database may run as another user, who has to reach its own folder.
  chmodSync(folder, 0o711);
  mkdirSync(join(folder, 'dags'));
  writeFileSync(
    join(folder, 'dags/chaos.ts'),
    chaosDag({ log: join(folder, 'bodies.log'), tasks: TASKS, bodyMs: 900 }),
  );
  cluster = new Cluster({
    ...{
      folder: join(folder, 'cluster'),
      dags: join(folder, 'dags'),
      schedulers: 2,
      gateways: 2,
      workers: 3,
      slots: 4,
    },
    ...{ leaseSeconds: LEASE_SECONDS, firstPort: 7_700, containers: true, say: () => undefined },
    env: { RONDO_KAFKA_SESSION_TIMEOUT: '6000' },
  });
  await cluster.start();
}, 180_000);
afterAll(async () => {
  await cluster.stop();
  if (process.env['RONDO_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  else process.stderr.write(`kept: ${folder}\n`);
}, 120_000);

/** Undefined: there is no such thing yet, or nobody answers. */
async function ask(path: string, body?: object): Promise<Record<string, unknown> | undefined> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch(`${cluster.url}/api/v1${path}`, { signal, ...(body === undefined ? {} : init) }).catch(
    () => undefined,
  );
  return answer?.ok === true ? ((await answer.json()) as Record<string, unknown>) : undefined;
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(500);
  }
}

const stateOf = async (): Promise<string | undefined> => {
  const run = await ask(`/dags/chaos/runs/${RUN}`);
  return run?.['state'] === 'success' || run?.['state'] === 'failed' ? String(run['state']) : undefined;
};

it(`a run of ${TASKS} tasks succeeds while every service is killed, stopped and cut off: nothing overlaps, nothing is decided twice`, async () => {
  await until(() => ask('/dags/chaos'));
  await until(() => ask('/dags/chaos/runs', { runId: RUN }));
  await until(async () =>
    (await readBodies(join(folder, 'bodies.log')).catch(() => [])).length > 0 ? true : undefined,
  );
  const happened: Fault[] = [];
  for await (const fault of faults(cluster, { pauseMs: (LEASE_SECONDS + 4) * 1_000, brokerAwayMs: 30_000 }))
    happened.push(fault);
  const state = await until(stateOf);

  const lines = await readBodies(join(folder, 'bodies.log'));
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
