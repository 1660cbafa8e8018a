import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAIL_POINTS } from '@rondo/kernel';
import type { Assignment } from '@rondo/ports';
import { assignment, eventually, isAlive, processesOf, Project } from '../test/fixtures/harness.ts';
import { Host } from '../test/fixtures/hosted.ts';
import type { WorkerOptions } from './options.ts';

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

async function start(options: Partial<WorkerOptions> = {}): Promise<Host> {
  host = await new Host(project, options).ready();
  return host;
}

/** Each body notes its attempt, so that executions can be counted from outside. */
/** The file is there before what is written to it. */
async function pidIn(file: string): Promise<number> {
  await eventually(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'));
  return Number(readFileSync(file, 'utf8'));
}

function notingBundle(): string {
  const file = join(project.folder, 'ran');
  project.bundle(
    'b',
    `
    task('a', async (ctx) => appendFileSync(${JSON.stringify(file)}, ctx.tryNumber + '\\n'));
    task('hang', async (ctx) => { appendFileSync(${JSON.stringify(file)}, process.pid + '\\n'); await new Promise(() => {}); });
    task('busy', async () => { appendFileSync(${JSON.stringify(file)}, process.pid + '\\n'); for (;;); });`,
    `import { appendFileSync } from 'node:fs';`,
  );
  return file;
}

describe('after kill -9 of the process that hosts the worker', () => {
  it('a result that was not acknowledged is delivered again, and an acknowledged one is not', async () => {
    const file = notingBundle();
    const first = await start({ isFreshDataFolder: true });
    const [one, two, three] = [1, 2, 3].map((n) => assignment('a', n)) as [Assignment, Assignment, Assignment];
    first.tell({ assign: [one, two] });
    await eventually(() => first.finished().length === 2);
    first.tell({ acknowledge: [one.id], assign: [three] });
    await eventually(() => first.finished().length === 3);
    await first.kill();
    const second = await start();
    expect(second.hello).toMatchObject({ interrupted: [], journalIntact: true });
    await eventually(() => second.finished().length === 2);
    expect(second.finished()).toEqual([two.id, three.id]);
    second.tell({ assign: [two] });
    await eventually(() => second.finished().length === 3);
    expect(readFileSync(file, 'utf8')).toBe('1\n2\n3\n');
  });

  it('what was begun is interrupted until it is acknowledged, what waited was never begun, and no process is left', async () => {
    const file = notingBundle();
    const first = await start({ isFreshDataFolder: true });
    const [hang, waiting] = [assignment('hang'), assignment('a')];
    first.tell({ assign: [hang, waiting] });
    const pid = await pidIn(file);
    await first.kill();
    await eventually(() => !isAlive(pid));
    for (const acknowledged of [[], [hang.id]]) {
      const next = await start();
      expect(next.hello).toMatchObject({ running: [], interrupted: [hang.id], journalIntact: true });
      expect(next.reports).toEqual([]);
      next.tell({ acknowledge: acknowledged, assign: acknowledged.length === 0 ? [] : [waiting] });
      if (acknowledged.length > 0) await eventually(() => next.finished().length === 1);
      await next.kill();
    }
    expect((await start()).hello).toMatchObject({ interrupted: [] });
  });

  it('a child that does not notice is killed by the next start', async () => {
    const file = notingBundle();
    const first = await start({ isFreshDataFolder: true });
    first.tell({ assign: [assignment('busy')] });
    const pid = await pidIn(file);
    await first.kill();
    expect(isAlive(pid)).toBe(true);
    await start();
    expect(isAlive(pid)).toBe(false);
  });

  it.each(FAIL_POINTS.filter((point) => /dispatch|report/.test(point)))(
    'at %s nothing finished runs again',
    async (point) => {
      const file = notingBundle();
      const given = Array.from({ length: 40 }, (_, i) => assignment('a', i + 1));
      const first = await start({ isFreshDataFolder: true, failPoint: { point, hit: 20 } });
      first.tell({ assign: given });
      expect(await first.exited).toBe('SIGKILL');
      const second = await start();
      const { interrupted } = second.hello!;
      expect(second.hello!.journalIntact).toBe(true);
      second.tell({ assign: given.filter(({ id }) => !interrupted.includes(id)) });
      await eventually(() => new Set([...second.finished(), ...interrupted]).size === given.length);
      const runs = readFileSync(file, 'utf8').trim().split('\n').map(Number);
      expect(new Set(runs).size).toBe(runs.length);
      expect(interrupted.length).toBeLessThanOrEqual(1);
    },
  );
});

describe('the journal', () => {
  const otherBoot = () => {
    const path = join(project.data, 'worker', 'journal');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"another"'));
  };

  it('is not intact after the machine was down, and says so again when nobody could act on it', async () => {
    notingBundle();
    await (await start({ isFreshDataFolder: true })).kill();
    otherBoot();
    await (await start()).kill();
    expect(host!.hello!.journalIntact).toBe(false);
    expect((await start()).hello!.journalIntact).toBe(false);
  });

  it('that was closed in order is intact whatever happens to the machine', async () => {
    notingBundle();
    await (await start({ isFreshDataFolder: true })).stop();
    otherBoot();
    expect((await start()).hello!.journalIntact).toBe(true);
  });

  it('is not intact when it is missing from an old data folder', async () => {
    notingBundle();
    expect((await start()).hello!.journalIntact).toBe(false);
  });

  it('does not trip over a record that was cut', async () => {
    notingBundle();
    const first = await start({ isFreshDataFolder: true });
    first.tell({ assign: [assignment('a')] });
    await eventually(() => first.finished().length === 1);
    await first.kill();
    appendFileSync(join(project.data, 'worker', 'journal'), 'Fsomething\n{"kind":"fin');
    const second = await start();
    await eventually(() => second.finished().length === 1);
    expect(second.hello).toMatchObject({ interrupted: [], journalIntact: true });
  });
});
