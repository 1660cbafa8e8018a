import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { rondo } from '../../apps/cli/test/fake-api.ts';
import { Cluster } from '../../tools/cluster/cluster.ts';
import type { ServiceProcess } from '../../tools/cluster/processes.ts';

const LONG_MS = 300_000;

let cluster: Cluster;
let own: string;
let archived: string;

/** A collector of traces; what it was sent as text. */
const traces: string[] = [];
const collector = createServer((request, response) => {
  void text(request).then((body) => {
    traces.push(body);
    response.end('{}');
  });
});

/** Bodies that run until they are let go. */
const HELD = (file: string): string => `import { existsSync } from 'node:fs';
import { Dag, task } from '@rondo/sdk';

export default new Dag({ id: 'held', isPausedUponCreation: false }, () => {
  const body = task('body', async (_ctx, _n: number) => {
    while (!existsSync(${JSON.stringify(file)})) await new Promise((resolve) => setTimeout(resolve, 50));
  });
  body.expand([1, 2, 3, 4]);
});
`;

beforeAll(async () => {
  own = mkdtempSync(join(tmpdir(), 'rondo-own-'));
  await new Promise<void>((done) => collector.listen(0, '127.0.0.1', done));
  const { port } = collector.address() as AddressInfo;
  mkdirSync(join(own, 'dags'));
  cpSync(resolve('dags'), join(own, 'dags'), { recursive: true });
  writeFileSync(join(own, 'dags/held.ts'), HELD(join(own, 'go')));
  cluster = new Cluster({
    folder: mkdtempSync(join(tmpdir(), 'rondo-services-')),
    dags: join(own, 'dags'),
    ...{ schedulers: 2, gateways: 2, workers: 2, slots: 2, firstPort: 7_600 },
    leaseSeconds: 10,
    ...{ containers: true, env: { RONDO_TELEMETRY_OTLP: `http://127.0.0.1:${port}` } },
    say: () => undefined,
  });
  await cluster.start();
}, LONG_MS);

afterAll(async () => {
  await cluster.stop();
  cluster.remove();
  collector.closeAllConnections();
  collector.close();
  rmSync(own, { recursive: true, force: true });
}, LONG_MS);

async function get<T>(path: string): Promise<T | undefined> {
  const response = await fetch(`${cluster.url}/api/v1${path}`).catch(() => undefined);
  return response?.ok === true ? ((await response.json()) as T) : undefined;
}

async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await sleep(200);
  }
}

interface Run {
  readonly runId: string;
  readonly state: string;
}

async function trigger(dag: string): Promise<string> {
  await until(() => get(`/dags/${dag}`));
  const response = await fetch(`${cluster.url}/api/v1/dags/${dag}/runs`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{}',
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as Run).runId;
}

function ended(dag: string, runId: string): Promise<Run> {
  return until(async () => {
    const run = await get<Run>(`/dags/${dag}/runs/${encodeURIComponent(runId)}`);
    return run !== undefined && ['success', 'failed'].includes(run.state) && run;
  });
}

/** What a command answers as JSON. */
async function command<T>(...args: readonly string[]): Promise<T> {
  const { code, out, err } = await rondo([...args, '--json', '--url', cluster.url]);
  if (code !== 0) throw new Error(`rondo ${args.join(' ')} ended with ${code}: ${err}`);
  return JSON.parse(out) as T;
}

interface Worker {
  readonly name: string;
  readonly state: string;
  readonly boot: string;
  readonly running: number;
}

const workers = async (): Promise<readonly Worker[]> =>
  (await command<{ readonly items: readonly Worker[] }>('workers', 'list', '--all')).items;

const readerOf = async (): Promise<ServiceProcess | undefined> => {
  for (const scheduler of cluster.of('scheduler')) {
    const { dependencies } = await scheduler.readiness();
    if (dependencies['system']?.detail === 'reads the DAG folder') return scheduler;
  }
  return undefined;
};

describe('the services as processes', () => {
  it(
    'run a DAG together, keep its log, and tell of it',
    async () => {
      const runId = await trigger('monitor_errors');
      expect(await ended('monitor_errors', runId)).toMatchObject({ state: 'success' });
      const log = await get<{ readonly lines: readonly unknown[] }>(
        `/dags/monitor_errors/runs/${encodeURIComponent(runId)}/tasks/drop_exception/log`,
      );
      expect(log?.lines.length).toBeGreaterThan(0);
      const alerting = cluster.of('alerting')[0]!;
      await until(async () => (await readFile(alerting.log, 'utf8')).includes('"message":"run_succeeded"'));
      await until(async () => traces.some((body) => body.includes('run monitor_errors') && body.includes(runId)));
      expect(await command('runs', 'archive', 'monitor_errors', runId)).toMatchObject({ archive: 'archiving' });
      archived = runId;
    },
    LONG_MS,
  );

  it(
    'go on with one scheduler, which reads the DAG folder then, and with the other when it is back',
    async () => {
      const reader = await until(readerOf);
      expect(await reader.stop()).toBe(true);
      const next = await until(readerOf);
      expect(next.name).not.toBe(reader.name);
      const runId = await trigger('conditional_branch');
      expect(await ended('conditional_branch', runId)).toMatchObject({ state: 'success' });
      reader.start();
      await reader.ready();
    },
    LONG_MS,
  );

  it(
    'go on with one gateway, and without a worker that was killed',
    async () => {
      await cluster.of('gateway')[0]!.kill();
      await cluster.of('worker')[0]!.kill();
      const runId = await trigger('parallel');
      expect(await ended('parallel', runId)).toMatchObject({ state: 'success' });
      for (const service of [cluster.of('gateway')[0]!, cluster.of('worker')[0]!]) {
        service.start();
        await service.ready();
      }
    },
    LONG_MS,
  );

  it(
    'answer what gateways are asked',
    async () => {
      const pools = await get<{ readonly items: readonly { readonly name: string; readonly occupiedSlots: number }[] }>(
        '/pools',
      );
      expect(pools?.items).toContainEqual(expect.objectContaining({ name: 'default_pool', occupiedSlots: 0 }));
      expect(await get('/health')).toMatchObject({ status: 'ok', components: { eventStore: { status: 'ok' } } });
    },
    LONG_MS,
  );

  it(
    'tell what they do as metrics',
    async () => {
      const wanted = {
        scheduler: /^rondo_scheduler_decisions_total [1-9]/m,
        gateway: /^rondo_workers_connected 2$/m,
        worker: /^rondo_worker_leases 2$/m,
        query: /^rondo_api_request_seconds_count{method="POST",code="201"} 3$/m,
        alerting: /^rondo_alerts_told_total [1-9]/m,
      };
      for (const [kind, figure] of Object.entries(wanted)) {
        const texts = await Promise.all(
          cluster.of(kind as keyof typeof wanted).map(async ({ health }) => (await fetch(`${health}/metrics`)).text()),
        );
        expect(texts.filter((text) => figure.test(text))).not.toEqual([]);
      }
    },
    LONG_MS,
  );

  it(
    'send a worker away, which ends what it has and takes nothing new',
    async () => {
      const held = await trigger('held');
      const full = (all: readonly Worker[]): boolean => all.every(({ running }) => running === 2);
      await until(async () => full(await workers()));
      const [first, second] = await workers();
      expect([first, second]).toMatchObject([
        { name: 'worker-1', state: 'active' },
        { name: 'worker-2', state: 'active' },
      ]);
      expect(await command('workers', 'drain', 'worker-1', '--boot', first!.boot)).toMatchObject({ state: 'draining' });
      const after = await trigger('parallel');
      expect(await workers()).toMatchObject([{ state: 'draining', running: 2 }, { state: 'active' }]);
      expect(cluster.of('worker')[0]!.isRunning).toBe(true);
      writeFileSync(join(own, 'go'), '');
      expect(await ended('held', held)).toMatchObject({ state: 'success' });
      expect(await ended('parallel', after)).toMatchObject({ state: 'success' });
      const rows = await get<{ readonly items: readonly { readonly worker: string }[] }>(
        `/dags/parallel/runs/${encodeURIComponent(after)}/tasks`,
      );
      expect(new Set(rows?.items.map(({ worker }) => worker))).toEqual(new Set(['worker-2']));
      await until(async () => !cluster.of('worker')[0]!.isRunning);
      expect(await workers()).toMatchObject([{ state: 'left', boot: first!.boot }, { state: 'active' }]);
      expect(await rondo(['workers', 'drain', 'worker-1', '--url', cluster.url])).toMatchObject({ code: 1 });
      cluster.of('worker')[0]!.start();
      await cluster.of('worker')[0]!.ready();
      await until(async () => (await workers())[0]!.state === 'active');
      expect((await workers())[0]!.boot).not.toBe(first!.boot);
    },
    LONG_MS,
  );

  it(
    'have archived the run that was asked for, read it from the archive, and restore it',
    async () => {
      const path = `/dags/monitor_errors/runs/${encodeURIComponent(archived)}`;
      type Archived = Run & { readonly archive: string };
      const run = await until(async () => {
        const found = await get<Archived>(path);
        return found?.archive === 'archived' && found;
      });
      expect(run).toMatchObject({ state: 'success', startedAt: expect.any(Number) });
      type Tasks = { readonly items: readonly { readonly state: string }[] };
      expect((await get<Tasks>(`${path}/tasks`))?.items).toEqual([]);
      const asOf = encodeURIComponent(new Date().toISOString());
      expect((await get<Tasks>(`${path}/tasks?asOf=${asOf}`))?.items.length).toBeGreaterThan(3);
      expect(await command('runs', 'restore', 'monitor_errors', archived)).toMatchObject({ archive: 'restored' });
      const { items } = (await get<Tasks>(`${path}/tasks`))!;
      expect(items.length).toBeGreaterThan(3);
      const log = await get<{ readonly lines: readonly unknown[] }>(`${path}/tasks/drop_exception/log`);
      expect(log?.lines.length).toBeGreaterThan(0);
    },
    LONG_MS,
  );

  it(
    'lay aside what nobody can decode, and send it again on request',
    async () => {
      const producer = new Kafka({ brokers: [...cluster.kafka!.brokers], logLevel: logLevel.NOTHING }).producer();
      await producer.connect();
      const value = Buffer.from([0x7b, 0xff, 0x7d]);
      await producer.send({ topic: 'rondo.sensor.events', messages: [{ key: 'shop', value }] });
      await producer.disconnect();
      type Letters = { readonly items: readonly { readonly id: number; readonly replayedBy: string | null }[] };
      const letters = async () => (await command<Letters>('dead-letters', 'list')).items;
      const [letter] = await until(async () => ((all) => all.length > 0 && all)(await letters()));
      expect(letter).toMatchObject({ topic: 'rondo.sensor.events', key: 'shop', size: 3, replayedBy: null });
      expect(await command('dead-letters', 'show', String(letter!.id))).toMatchObject({ outline: '' });
      expect(await command('dead-letters', 'replay', '--all')).toEqual({ replayed: 1 });
      const again = await until(async () => ((all) => all.length > 1 && all)(await letters()));
      expect(again).toMatchObject([{ replayedBy: 'user:local' }, { replayedBy: null, size: 3 }]);
    },
    LONG_MS,
  );

  it(
    'tell what could not be told',
    async () => {
      expect(await command('alerts', 'parked', 'list')).toEqual({ items: [], total: 0 });
      expect(await command('alerts', 'parked', 'replay')).toEqual({ replayed: 0 });
    },
    LONG_MS,
  );

  it(
    'stop as they should',
    async () => {
      expect(await cluster.stop()).toEqual([]);
    },
    LONG_MS,
  );
});
