import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assignment, eventually, isAlive, processesOf, Project } from '../../test/fixtures/harness.ts';
import { Host } from '../../test/fixtures/hosted.ts';
import { monotonicMs } from '../monotonic.ts';
import type { WorkerOptions } from '../options.ts';

let project: Project;
let host: Host | undefined;

beforeEach(() => {
  project = new Project();
});

afterEach(async () => {
  await host?.kill();
  await eventually(() => processesOf(project.folder).length === 0);
  project.remove();
});

const pulse = (): string => join(project.folder, 'pulse');
const sizeOf = (): number => (existsSync(pulse()) ? statSync(pulse()).size : 0);
const pidOf = (): number => Number(/^(\d+)\n/.exec(readFileSync(pulse(), 'utf8'))![1]);

/** An attempt that blocks its loop and writes every 50 ms; one that ends at once; each notes the number of its process. */
function bundle(): void {
  const path = JSON.stringify(pulse());
  const body = `task('blocks', () => { for (;;) { appendFileSync(${path}, process.pid + '\\n'); execSync('sleep 0.05'); } });
task('quick', () => process.pid);`;
  project.bundle(
    'b',
    body,
    `import { appendFileSync } from 'node:fs';\nimport { execSync } from 'node:child_process';`,
  );
}

async function start(options: Partial<WorkerOptions> = {}): Promise<Host> {
  bundle();
  host = await new Host(project, { warden: true, ...options }).ready();
  return host;
}

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};
const wardenOf = (): number | undefined =>
  processesOf(project.folder).find((pid) => commandOf(pid).includes('warden/main'));

async function isStill(): Promise<boolean> {
  const size = sizeOf();
  await sleep(500);
  return sizeOf() === size;
}

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('a warden', () => {
  it('ends what runs beyond its lease while the worker stands still, which then begins nothing stale', async () => {
    const worker = await start();
    worker.tell({ renew: [{ lease: 'g', until: monotonicMs() + 60_000 }] });
    worker.tell({ assign: [assignment('blocks'), assignment('quick')], lease: 'g' });
    await eventually(() => sizeOf() > 0);
    worker.tell({ renew: [{ lease: 'g', until: monotonicMs() + 3_000 }] });
    await sleep(1_000);
    worker.signal('SIGSTOP');
    const pid = pidOf();
    expect(isAlive(pid)).toBe(true);
    await eventually(() => !isAlive(pid));
    expect(await isStill()).toBe(true);
    worker.signal('SIGCONT');
    await eventually(() => worker.reports.filter(({ kind }) => kind === 'lost').length === 2);
    expect(worker.finished()).toEqual([]);
    // The worker is fit for more.
    worker.tell({ renew: [{ lease: 'h', until: monotonicMs() + 60_000 }] });
    worker.tell({ assign: [assignment('quick', 2)], lease: 'h' });
    await eventually(() => worker.finished().length === 1);
  });

  it('ends everything when the worker is killed', async () => {
    const worker = await start();
    worker.tell({ assign: [assignment('blocks')] });
    await eventually(() => sizeOf() > 0);
    const warden = wardenOf()!;
    await worker.kill();
    await eventually(() => !isAlive(pidOf()) && !isAlive(warden));
    expect(await isStill()).toBe(true);
    expect(processesOf(project.folder)).toEqual([]);
  });

  it('leaves children between attempts', async () => {
    const worker = await start();
    worker.tell({ renew: [{ lease: 'g', until: monotonicMs() + 60_000 }] });
    worker.tell({ assign: [assignment('quick')], lease: 'g' });
    await eventually(() => worker.finished().length === 1);
    worker.tell({ renew: [{ lease: 'g', until: monotonicMs() }] });
    await sleep(1_000);
    worker.tell({ renew: [{ lease: 'h', until: monotonicMs() + 60_000 }] });
    worker.tell({ assign: [assignment('quick', 2)], lease: 'h' });
    await eventually(() => worker.finished().length === 2);
    const pids = worker.reports.flatMap((report) => (report.kind === 'finished' ? [report.pid] : []));
    expect(pids[0]).toBe(pids[1]);
  });

  it('is followed by another when it ends', async () => {
    const worker = await start();
    worker.tell({ renew: [{ lease: 'g', until: monotonicMs() + 60_000 }] });
    worker.tell({ assign: [assignment('blocks')], lease: 'g' });
    await eventually(() => sizeOf() > 0);
    const first = wardenOf()!;
    process.kill(first, 'SIGKILL');
    await eventually(() => ![undefined, first].includes(wardenOf()));
    worker.tell({ renew: [{ lease: 'g', until: monotonicMs() + 3_000 }] });
    await sleep(1_000);
    worker.signal('SIGSTOP');
    await eventually(() => !isAlive(pidOf()));
    worker.signal('SIGCONT');
    await eventually(() => worker.reports.some(({ kind }) => kind === 'lost'));
    expect(worker.finished()).toEqual([]);
  });

  it('goes with a worker that stops, and is small', async () => {
    const worker = await start();
    const warden = wardenOf()!;
    await worker.stop();
    await eventually(() => !isAlive(warden));
    // The code it runs stands in the cache by now.
    host = await new Host(project, { warden: true }).ready();
    await sleep(500);
    const status = readFileSync(`/proc/${wardenOf()!}/status`, 'utf8');
    expect(Number(/RssAnon:\s+(\d+)/.exec(status)![1]) / 1_024).toBeLessThan(40);
  });
});
