import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WaitAnswer, WatchAssignment, WatchWait } from '@rondo/domain';
import type { WorkerReport } from '@rondo/ports';
import { assignment, Driver, eventually, isAlive, NO_SERVICES, Project } from '../../test/fixtures/harness.ts';
import type { WorkerOptions } from '../options.ts';

type Waited = Extract<WorkerReport, { kind: 'waited' }>;

const QUICK = { kind: 'poll', everyMs: 40 } as const;
const HEAD = `
import { FailNow, Operator, PokeReturn, sensor, Skip, Trigger } from '@rondo/sdk';
import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
`;

describe('the triggerer', () => {
  let project: Project;
  let driver: Driver | undefined;
  beforeEach(() => (project = new Project()));
  afterEach(async () => {
    await driver?.session.stop(0);
    driver = undefined;
    project.remove();
  });

  const start = async (body: string, options: Partial<WorkerOptions> = {}): Promise<Driver> => {
    project.bundle('b', body, HEAD);
    driver = new Driver(project.workerOptions({ prestart: 0, ...options }));
    return driver.start();
  };
  const watch = (taskId: string, wait: WatchWait = QUICK, hash = 'b', more: object = {}): WatchAssignment => {
    const given = assignment(taskId, 1, { bundle: { hash, file: 'd.ts' }, ...more });
    return { id: given.id, assignment: given, wait, since: Date.now() };
  };
  const waited = async (...watches: readonly WatchAssignment[]): Promise<WaitAnswer> => {
    driver!.session.watch(watches);
    const { id } = watches[0]!;
    return ((await driver!.report((report) => report.kind === 'waited' && report.id === id)) as Waited).answer;
  };
  const log = (taskId: string): string =>
    project
      .log(watch(taskId).assignment.attempt)
      .map(({ level, text }) => `${level} ${text}`)
      .join('\n');
  const seen = (file: string): string => {
    try {
      return readFileSync(join(project.folder, file), 'utf8');
    } catch {
      return '';
    }
  };

  it('pokes until the sensor is met, and answers with what it found', async () => {
    await start(`
      let n = 0;
      sensor('s', async (ctx) => {
        ctx.log.info('poke', ++n);
        console.log('printed', n);
        return n === 3 && new PokeReturn({ pokes: n });
      });
      sensor('failing', () => { throw new Error('no'); });
      sensor('skipping', () => { throw new Skip('enough'); });
    `);
    expect(await waited(watch('s'))).toEqual({ kind: 'met', payload: { value: { pokes: 3 } } });
    expect(log('s')).toBe(
      ['info poke 1', 'info printed 1', 'info poke 2', 'info printed 2', 'info poke 3', 'info printed 3'].join('\n'),
    );
    expect(await waited(watch('failing'))).toMatchObject({ kind: 'failed', retryable: true, error: { message: 'no' } });
    expect(await waited(watch('skipping'))).toEqual({ kind: 'skipped', reason: 'enough' });
    expect(driver!.reports.filter(({ kind }) => kind !== 'waited')).toEqual([]);
  });

  it('drops a wait that it knows, and one that is ended hears of it by its signal', async () => {
    const { session } = await start(`
      sensor('s', async (ctx) => {
        appendFileSync('${project.folder}/pokes', 'x');
        await sleep(100_000, undefined, { signal: ctx.signal }).catch(() => appendFileSync('${project.folder}/aborted', 'x'));
        return false;
      });
      sensor('other', () => true);
    `);
    const wait = watch('s');
    session.watch([wait, wait]);
    session.watch([wait]);
    await eventually(() => seen('pokes') !== '');
    session.unwatch([wait.id]);
    await eventually(() => seen('aborted') !== '');
    await waited(watch('other'));
    expect([seen('pokes'), seen('aborted')]).toEqual(['x', 'x']);
    expect(driver!.reports).toHaveLength(1);
  });

  it('runs triggers, and what they end is masked and by name', async () => {
    const services = { ...NO_SERVICES, variable: async () => 'tell-nobody' };
    await start(
      `
      class Later extends Trigger {
        async run(ctx) {
          await sleep(20, undefined, { signal: ctx.signal });
          if (this.args.fail) throw new FailNow('no way with ' + (await ctx.variables.get('token')));
          return { got: this.args.x };
        }
      }
      class Op extends Operator { static triggers = [Later]; execute() {} }
      new Op({ id: 't' });
      new Op({ id: 'failing' });
    `,
      { services },
    );
    const trigger = (args: object) => ({ kind: 'trigger', trigger: 'Later', args: args as never }) as const;
    expect(await waited(watch('t', trigger({ x: 1 })))).toEqual({ kind: 'met', payload: { value: { got: 1 } } });
    expect(await waited(watch('failing', trigger({ fail: true })))).toMatchObject({
      kind: 'failed',
      retryable: false,
      error: { message: 'no way with ***' },
    });
    expect(log('failing')).toContain('no way with ***');
  });

  it('gives up a poke that takes too long, whether it listens or not', async () => {
    await start(
      `
      sensor('listening', (ctx) => sleep(100_000, true, { signal: ctx.signal }));
      sensor('deaf', () => new Promise(() => undefined));
      sensor('soft', () => new Promise(() => undefined), { softFail: true });
      sensor('whole', () => false, { softFail: true });
    `,
      { triggerer: { pokeMs: 50 } },
    );
    expect(await waited(watch('listening'))).toMatchObject({ kind: 'failed', retryable: true });
    expect(await waited(watch('deaf'))).toMatchObject({ kind: 'failed', error: { kind: 'timeout' }, retryable: true });
    expect(await waited(watch('soft'))).toMatchObject({ kind: 'skipped' });
    expect(await waited(watch('whole', QUICK, 'b', { executionTimeoutMs: 100 }))).toMatchObject({ kind: 'skipped' });
  });

  it('finds the poke that blocks its process: the others go on, those of other bundles undisturbed', async () => {
    project.bundle('c', `sensor('far', () => { appendFileSync('${project.folder}/far', 'x'); return false; });`, HEAD);
    const { session } = await start(
      `
      sensor('blocker', () => { appendFileSync('${project.folder}/blocks', 'x'); for (;;); });
      sensor('slow', async () => { await sleep(60_000); return true; });
      sensor('good', () => { appendFileSync('${project.folder}/good', 'x'); return false; });
    `,
      { triggerer: { blockedMs: 1_500, maxOffences: 2 } },
    );
    session.watch([watch('far', QUICK, 'c')]);
    await eventually(() => seen('far') !== '');
    const answer = waited(watch('blocker', { kind: 'poll', everyMs: 10 }), watch('slow'), watch('good'));
    await eventually(() => seen('blocks') !== '');
    const before = seen('far').length;
    expect(await answer).toMatchObject({
      kind: 'failed',
      retryable: false,
      error: { message: expect.stringContaining('the poke has held its process for more than 1.5 s') as string },
    });
    expect(seen('far').length).toBeGreaterThan(before + 10);
    const good = seen('good').length;
    await eventually(() => seen('good').length > good);
    expect(log('blocker')).toContain('a poke must not block');
    expect(driver!.reports.filter(({ kind }) => kind === 'waited')).toHaveLength(1);
  });

  it('restarts a process that a poke has ended, with the others in it', async () => {
    await start(`
      sensor('leaving', () => process.exit(3));
      sensor('throwing', () => new Promise(() => setTimeout(() => { throw new TypeError('nobody hears'); }, 5)));
      sensor('good', () => existsSync('${project.folder}/go'));
    `);
    const good = waited(watch('good'));
    expect(await waited(watch('leaving'))).toMatchObject({
      kind: 'failed',
      error: {
        kind: 'exit',
        message: expect.stringMatching(/^the poke called process.exit\(3\) at .*d\.ts:/) as string,
      },
    });
    expect(await waited(watch('throwing'))).toMatchObject({
      kind: 'failed',
      error: { type: 'TypeError', message: 'nobody hears' },
    });
    project.write('go', '');
    expect(await good).toEqual({ kind: 'met' });
  });

  it('fails waits whose bundle or DAG is not there', async () => {
    await start(`sensor('s', () => true);`);
    expect(await waited(watch('s', QUICK, 'none'))).toMatchObject({ kind: 'failed', error: { kind: 'load' } });
    const other = watch('s');
    const attempt = { ...other.assignment.attempt, dagId: 'e' };
    expect(await waited({ ...other, id: 'e', assignment: { ...other.assignment, id: 'e', attempt } })).toMatchObject({
      error: { kind: 'load', message: "d.ts holds no DAG 'e', only d" },
    });
    expect(await waited(watch('gone'))).toMatchObject({
      error: { kind: 'load', message: expect.stringContaining("has no task 'gone'") as string },
    });
  });

  it('ends a process that nothing waits in, and all of them when it stops', async () => {
    const { session } = await start(
      `sensor('s', () => { appendFileSync('${project.folder}/pid', process.pid + ' '); return existsSync('${project.folder}/go'); });`,
      { triggerer: { idleMs: 10 } },
    );
    const first = waited(watch('s'));
    await eventually(() => seen('pid') !== '');
    const pid = Number(seen('pid').split(' ')[0]);
    project.write('go', '');
    await first;
    await eventually(() => !isAlive(pid));
    project.bundle(
      'c',
      `sensor('s', () => { appendFileSync('${project.folder}/pid2', process.pid + ' '); return false; });`,
      HEAD,
    );
    session.watch([watch('s', QUICK, 'c')]);
    await eventually(() => seen('pid2') !== '');
    await session.stop(0);
    expect(isAlive(Number(seen('pid2').split(' ')[0]))).toBe(false);
  });
});
