/** Sensors and deferred tasks on a whole platform with one slot: polls, triggers, callbacks, over a kill. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Project, runPath, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);
let project: Project;
let served: Served;

const dagFile = (folder: string): string => `import { appendFileSync, existsSync } from 'node:fs';
import { FileSensor } from '@rondo/operators';
import { Dag, Operator, PokeReturn, sensor, task, Trigger, type TaskContext } from '@rondo/sdk';

const at = (name: string): string => '${folder}/' + name;

class Appears extends Trigger<{ name: string }, { found: string }> {
  async run(ctx: TaskContext) {
    ctx.log.info('looking for %s', this.args.name);
    while (!existsSync(at(this.args.name))) await new Promise((resolve) => setTimeout(resolve, 50));
    return { found: this.args.name };
  }
}
class Job extends Operator<object, string> {
  static override readonly triggers = [Appears];
  execute(ctx: TaskContext): never {
    return ctx.defer({ trigger: new Appears({ name: 'job' }), resume: 'ended' });
  }
  ended(_ctx: TaskContext, _args: object, payload: { found: string }): string {
    return 'after ' + payload.found;
  }
}

const polls = new Dag({ id: 'polls', defaultArgs: { pokeInterval: '100ms' } }, () => {
  const look = sensor('look', (ctx, suffix: string) => {
    ctx.log.info('poke');
    appendFileSync(at('pokes'), 'x');
    return existsSync(at('there' + suffix)) && new PokeReturn({ suffix });
  }, { onSuccess: () => appendFileSync(at('callbacks'), 'met ') });
  const suffix = task('suffix', () => '.csv');
  const file = new FileSensor({ id: 'file', path: at('in-*.csv') });
  task('load', { look: look(suffix()), file }, (_ctx, { look }) => look.suffix);
});
const fails = new Dag({ id: 'fails', defaultArgs: { pokeInterval: '100ms' } }, () => {
  sensor('late', () => false, { timeout: '500ms', retries: 3, onFailure: () => appendFileSync(at('callbacks'), 'late ') });
  sensor('soft', () => false, { timeout: '500ms', softFail: true });
  let pokes = 0;
  sensor('throws', () => { if (++pokes > 0 && existsSync(at('throw'))) throw new Error('no more'); return false; }, { retries: 1, retryDelay: '10ms', timeout: '1m' });
});
const job = new Dag({ id: 'job' }, () => void new Job({ id: 'job' }));
const quick = new Dag({ id: 'quick' }, () => void task('quick', () => 1));
const cleared = new Dag({ id: 'cleared' }, () => void sensor('never', () => { appendFileSync(at('never'), 'x'); return false; }, { pokeInterval: '50ms' }));
export default [polls, fails, job, quick, cleared];
`;

beforeAll(async () => {
  project = new Project();
  project.write('sensors.ts', dagFile(project.folder));
  served = await project.serve({ args: ['--no-run', '--port', '0', '--workers', '1'] });
});
afterAll(() => project.remove());

const touch = (name: string): void => writeFileSync(join(project.folder, name), '');
const textOf = (name: string): string => {
  const path = join(project.folder, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
};
const until = async (check: () => boolean): Promise<void> => {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 20));
};
const eventsOf = async (dagId: string, runId: string): Promise<readonly Row[]> =>
  (await served.get<Rows>(`${runPath(dagId, runId)}/events?limit=1000`)).items;

describe('a sensor', () => {
  it('is polled without a slot and without events, also after a kill, and its value is taken', async () => {
    const runId = await served.trigger('polls', { runId: 'killed' });
    await served.taskIs('polls', runId, 'look', 'deferred');
    await served.taskIs('polls', runId, 'file', 'deferred');
    const before = await eventsOf('polls', runId);
    const pokes = textOf('pokes').length;
    await until(() => textOf('pokes').length > pokes + 3);
    // The one slot is free.
    expect(await served.ended('quick', await served.trigger('quick'))).toMatchObject({ state: 'success' });
    expect(await eventsOf('polls', runId)).toHaveLength(before.length);

    await served.platform.end('SIGKILL');
    served = await project.serve({ args: ['--no-run', '--port', '0', '--workers', '1'] });
    const again = textOf('pokes').length;
    await until(() => textOf('pokes').length > again);
    touch('there.csv');
    touch('in-1.csv');
    expect(await served.ended('polls', runId)).toMatchObject({ state: 'success' });
    expect(await served.xcom('polls', runId, 'load')).toBe('.csv');
    expect(await served.xcom('polls', runId, 'file')).toEqual([join(project.folder, 'in-1.csv')]);
    await until(() => textOf('callbacks').includes('met'));
    const states = (await eventsOf('polls', runId)).filter((each) => each['type'] === 'TaskDeferred');
    expect(states).toHaveLength(2);
  });

  it('times out without another try, or is skipped, and a poke that throws is retried', async () => {
    const runId = await served.trigger('fails');
    await served.taskIs('fails', runId, 'throws', 'deferred');
    touch('throw');
    expect(await served.ended('fails', runId)).toMatchObject({ state: 'failed' });
    expect(await served.task('fails', runId, 'late')).toMatchObject({ state: 'failed', tryNumber: 1 });
    expect(await served.task('fails', runId, 'soft')).toMatchObject({ state: 'skipped' });
    expect(await served.task('fails', runId, 'throws')).toMatchObject({ state: 'failed', tryNumber: 2 });
    await until(() => textOf('callbacks').includes('late'));
  });

  it('that is marked is polled no more', async () => {
    const runId = await served.trigger('cleared');
    await served.taskIs('cleared', runId, 'never', 'deferred');
    await until(() => textOf('never').length > 3);
    await served.post(`${runPath('cleared', runId)}/mark`, { state: 'success', taskIds: ['never'] });
    expect(await served.ended('cleared', runId)).toMatchObject({ state: 'success' });
    // A poke that was under way may still end.
    await served.ended('quick', await served.trigger('quick'));
    const { length } = textOf('never');
    await served.ended('quick', await served.trigger('quick'));
    expect(textOf('never').length - length).toBeLessThan(2);
  });
});

describe('a deferred task', () => {
  it('waits for its trigger, and goes on in its method as the same try', async () => {
    const runId = await served.trigger('job');
    await served.taskIs('job', runId, 'job', 'deferred');
    touch('job');
    expect(await served.ended('job', runId)).toMatchObject({ state: 'success' });
    expect(await served.task('job', runId, 'job')).toMatchObject({ state: 'success', tryNumber: 1 });
    expect(await served.xcom('job', runId, 'job')).toBe('after job');
  });
});
