import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Assignment } from '@rondo/ports';
import { TestGateway, type GatewayOptions } from '../../test/fixtures/gateway.ts';
import { assignment, eventually, isAlive, processesOf, removeFolder } from '../../test/fixtures/harness.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

let folder: string;
let gateways: TestGateway[];
let worker: ChildProcess | undefined;
let output: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'rondo-service-')));
  gateways = [];
  output = '';
});

afterEach(async () => {
  worker?.kill('SIGKILL');
  await eventually(() => processesOf(folder).length === 0);
  for (const gateway of gateways) await gateway.close();
  removeFolder(folder);
});

async function gateway(options: Partial<GatewayOptions> = {}): Promise<TestGateway> {
  const one = new TestGateway({ folder: join(folder, 'platform'), ...options });
  gateways.push(one);
  return one.start();
}

function start(env: Readonly<Record<string, string>> = {}): ChildProcess {
  worker = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH']!,
      RONDO_GATEWAYS_ADDRESSES: gateways.map(({ host }) => host.address).join(','),
      RONDO_WORKER_NAME: 'w1',
      RONDO_WORKER_DATA: join(folder, 'worker'),
      RONDO_WORKER_CWD: folder,
      RONDO_WORKER_SLOTS: '1',
      RONDO_SERVICE_HEALTH: '127.0.0.1:0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [worker.stdout!, worker.stderr!])
    stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  return worker;
}

const exited = (process: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => process.once('exit', (code) => resolve(code)));

const pulse = (): string => join(folder, 'pulse');
const HEAD = `import { dag, task } from '@rondo/sdk';
import { appendFileSync, existsSync } from 'node:fs';
import { execSync } from 'node:child_process';`;

/** Stores the bundle of a DAG file at the gateway; answers an assignment of one of its tasks. */
async function bundled(at: TestGateway): Promise<(task: string, tryNumber?: number) => Assignment> {
  const text = `${HEAD}
export default dag('d', {}, () => {
  task('says', async (ctx) => { console.log('hello'); console.log('again'); return ctx.variables.get('name'); });
  task('waits', async () => { while (!existsSync(${JSON.stringify(join(folder, 'go'))})) await new Promise((done) => setTimeout(done, 20)); return 'done'; });
  task('blocks', () => { for (;;) { appendFileSync(${JSON.stringify(pulse())}, process.pid + '\\n'); execSync('sleep 0.05'); } });
});`;
  const hash = await at.bundles.putBundle(new Map([['d.ts', Buffer.from(text)]]));
  return (task, tryNumber = 1) => assignment(task, tryNumber, { bundle: { hash, file: 'd.ts' } });
}

const sizeOf = (): number => (existsSync(pulse()) ? statSync(pulse()).size : 0);
const blocked = (): number => Number(readFileSync(pulse(), 'utf8').split('\n', 1)[0]);

const onLinux = process.platform === 'linux' ? it : it.skip;

describe('a worker as a service', () => {
  it('runs attempts with bundles, services and logs that are all with a gateway', async () => {
    const one = await gateway({ services: { variable: async (_id, key) => `the ${key}` } });
    const given = (await bundled(one))('says');
    start({ RONDO_WORKER_QUEUES: 'fast,slow', RONDO_WORKER_LABELS: 'zone=a' });
    await one.ready();
    expect(one.of('hello')[0]!.hello).toMatchObject({
      worker: 'w1',
      slots: 1,
      queues: ['fast', 'slow'],
      labels: { zone: 'a' },
      journalIntact: true,
    });
    one.assign(given);
    const report = await one.report('finished', given.id);
    expect(report).toMatchObject({ outcome: { kind: 'success' } });
    expect(JSON.stringify(report)).toContain('the name');
    expect(await one.log(given.attempt)).toEqual(['hello', 'again']);
    expect(readdirSync(join(folder, 'worker/logs'))).toEqual([]);
    const { hash: bundle } = given.bundle;
    one.say({ kind: 'parse', request: { id: 'p', root: '/nowhere', file: 'd.ts', bundle } });
    one.say({ kind: 'parse', request: { id: 'q', root: '/nowhere', file: 'd.ts', bundle: 'f'.repeat(64) } });
    await eventually(() => one.of('parsed').length === 2);
    const parsed = new Map(one.of('parsed').map(({ result }) => [result.id, result]));
    expect(parsed.get('p')).toMatchObject({ errors: [], dags: [{ dagId: 'd' }] });
    expect(parsed.get('q')!.errors[0]!.message).toContain('no gateway has a bundle');
  });

  it('goes on while its gateway is away, and delivers the result when it is back', async () => {
    const one = await gateway();
    const given = (await bundled(one))('waits');
    start();
    await one.ready();
    one.assign(given);
    await one.report('started', given.id);
    await one.stop();
    await sleep(500);
    one.generation = 2;
    await one.start();
    await one.ready();
    expect(one.of('claims')[0]!.claims).toEqual([{ partition: 0, generation: 2, running: [given.id], ended: [] }]);
    await one.stop();
    writeFileSync(join(folder, 'go'), '');
    await sleep(500);
    one.acknowledges = false;
    await one.start();
    expect(await one.report('finished', given.id)).toMatchObject({ outcome: { kind: 'success' } });
    await eventually(() => one.of('claims').length > 0);
    expect(one.of('claims')[0]!.claims[0]!.ended).toEqual([given.id]);
  });

  it('drains on SIGTERM: ends what runs, delivers it, and leaves', async () => {
    const one = await gateway();
    const given = (await bundled(one))('waits');
    const process = start();
    const code = exited(process);
    await one.ready();
    one.assign(given);
    await one.report('started', given.id);
    process.kill('SIGTERM');
    await eventually(() => one.of('draining').length > 0);
    expect(one.of('offer').at(-1)!.slots).toBe(0);
    writeFileSync(join(folder, 'go'), '');
    await one.report('finished', given.id);
    expect(await code).toBe(0);
    expect(one.of('leaving')).toHaveLength(1);
    expect(processesOf(folder)).toEqual([]);
  });

  it('ends when a gateway has sent it away', async () => {
    const one = await gateway();
    const code = exited(start());
    await one.ready();
    one.say({ kind: 'drain' });
    expect(await code).toBe(0);
    expect(output).toContain('sent away by a gateway');
  });

  it('divides its slots among gateways', async () => {
    const a = await gateway();
    const b = await gateway({ partition: 1 });
    start({ RONDO_WORKER_SLOTS: '4' });
    await a.ready();
    await b.ready();
    const offers = (): number[] => [a, b].map((one) => one.of('offer').at(-1)?.slots ?? 0);
    await eventually(() => offers().join() === '2,2');
    a.say({ kind: 'demand', waiting: 10 });
    await eventually(() => offers().join() === '4,0');
    expect(b.of('refused')).toEqual([]);
  });

  onLinux('runs nothing beyond its lease while it stands still, and begins nothing stale when it wakes', async () => {
    const one = await gateway({ leaseMs: 3_000 });
    const of = await bundled(one);
    const process = start();
    await one.ready();
    one.assign(of('blocks'));
    await eventually(() => sizeOf() > 0);
    process.kill('SIGSTOP');
    const stoppedAt = performance.now();
    one.assign(of('says'));
    await eventually(() => !isAlive(blocked()));
    // The gateway counts from the last beat that it received, and that came before the stop.
    expect(performance.now() - stoppedAt).toBeLessThan(3_000);
    process.kill('SIGCONT');
    await one.report('lost', of('blocks').id);
    await eventually(() => one.of('hello').length > 1);
    await one.ready();
    one.assign(of('says', 2));
    await one.report('finished', of('says', 2).id);
    expect(one.reports.some(({ kind, id }) => kind === 'finished' && id === of('says').id)).toBe(false);
  });

  onLinux('is killed with all that it runs, and says so when it is back', async () => {
    const one = await gateway();
    const of = await bundled(one);
    const process = start();
    await one.ready();
    one.assign(of('blocks'));
    await eventually(() => sizeOf() > 0);
    process.kill('SIGKILL');
    await eventually(() => !isAlive(blocked()));
    await eventually(() => !one.isConnected);
    one.frames.length = 0;
    start();
    await one.ready();
    expect(one.of('hello')[0]!.hello).toMatchObject({ interrupted: [of('blocks').id], journalIntact: true });
  });

  it('has its data folder for itself, and takes its settings from a file that it shares', async () => {
    const one = await gateway();
    const file = join(folder, 'rondo.yaml');
    writeFileSync(
      file,
      `kafka: {brokers: [k:1]}\nworker: {name: w9}\ngateways: {addresses: ['${one.host.address}']}\n`,
    );
    const env = { RONDO_CONFIG: file, RONDO_GATEWAYS_ADDRESSES: '', RONDO_WORKER_NAME: '' };
    const first = start(env);
    await one.ready();
    expect(one.of('hello')[0]!.hello.worker).toBe('w9');
    expect(await exited(start(env))).toBe(1);
    expect(output).toContain(`is in use by process ${first.pid}`);
    first.kill('SIGKILL');
    await exited(first);
  });

  it('names every problem of its configuration', async () => {
    const process = start({ RONDO_GATEWAYS_ADDRESSES: 'nowhere', RONDO_WORKER_UID: '5', RONDO_WORKER_SLOTS: '0' });
    expect(await exited(process)).toBe(2);
    expect(output).toContain('RONDO_GATEWAYS_ADDRESSES');
    expect(output).toContain('RONDO_WORKER_SLOTS');
  });
});
