/** Backfills and timetables by API and command line, on a whole platform that is killed in between. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Project, rondo, until, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);

let project: Project;
let served: Served;

const DAGS = `import { EmptyOperator } from '@rondo/operators';
import { cronInterval, Dag, task } from '@rondo/sdk';

export default [
  new Dag({ id: 'sums', schedule: cronInterval('0 0 * * *'), startDate: '2100-01-01', params: { bad: '' } }, () => {
    const read = task('read', (ctx) => ctx.logicalDate!.toISOString().slice(0, 10));
    const sum = task('sum', (ctx, day: string) => { if (day === ctx.params.bad) throw new Error(day); return day; });
    sum(read()).to(new EmptyOperator({ id: 'end' }));
  }),
  new Dag({ id: 'many', schedule: cronInterval('0 0 * * *'), startDate: '2100-01-01' }, () => {
    new EmptyOperator({ id: 'only' });
  }),
];
`;

const TIDES = `import { Dag, task, Timetable, type TimetableQuery } from '@rondo/sdk';

class Tides extends Timetable {
  next({ last, now }: TimetableQuery) {
    return new Date((last?.end ?? now).getTime() + 1_000);
  }
}
class Endless extends Timetable {
  next({ last }: TimetableQuery) {
    if (last === null) return new Date('2020-01-01');
    for (;;);
  }
}
export default [
  new Dag({ id: 'tides', schedule: new Tides() }, () => void task('go', () => 1)()),
  new Dag({ id: 'endless', schedule: new Endless(), catchup: true, startDate: '2019-01-01' }, () => void task('go', () => 1)()),
];
`;

beforeAll(async () => {
  project = new Project();
  project.write('sums.ts', DAGS);
  served = await project.serve();
  await served.dag('sums');
});
afterAll(() => project.remove());

const call = async (...args: readonly string[]) => rondo(...args, '--data', project.data);
const ok = async (...args: readonly string[]): Promise<string> => {
  const { code, out, err } = await call(...args);
  expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' });
  return out;
};
const over = (dagId: string, id: number): Promise<Row> =>
  until(`the end of backfill ${id} of ${dagId}`, async () => {
    const row = await served.get(`/dags/${dagId}/backfills/${id}`);
    return row['endedAt'] === null ? undefined : row;
  });

describe('a backfill', () => {
  it('is planned, made and shown by the command line', async () => {
    const range = ['--from', '2026-01-01', '--to', '2026-01-04'];
    const planned = await ok('backfill', 'create', 'sums', ...range, '--dry-run', '--limit', '2');
    expect(planned).toContain('2026-01-02 00:00:00Z');
    expect(planned).toContain('4 would be made, 0 run again, 0 passed over');
    expect(await ok('backfill', 'list')).not.toContain('sums');
    expect(await ok('backfill', 'create', 'sums', ...range, '--conf', '{"bad": "2026-01-03"}')).toBe(
      'backfill 1 of sums has 4 dates\n',
    );
    expect(await over('sums', 1)).toMatchObject({ state: 'completed', dates: 4, created: 4, cleared: 0, passed: 0 });
    const runs = await served.get<Rows>('/dags/sums/runs?backfillId=1&orderBy=runAfter');
    expect(runs.items.map((run) => [run['runId'], run['runType'], run['state']])).toEqual([
      ['backfill__2026-01-02T00:00:00+00:00', 'backfill', 'success'],
      ['backfill__2026-01-03T00:00:00+00:00', 'backfill', 'success'],
      ['backfill__2026-01-04T00:00:00+00:00', 'backfill', 'failed'],
      ['backfill__2026-01-05T00:00:00+00:00', 'backfill', 'success'],
    ]);
    const shown = await ok('backfill', 'show', 'sums', '1');
    expect(shown).toMatch(/state +completed/);
    expect(shown).toMatch(/4 +2026-01-04 00:00:00Z +made/);
  });

  it('runs failed dates again, and says what it passed over', async () => {
    const body = { from: '2026-01-01', to: '2026-01-05', reprocess: 'failed', reverse: true };
    const plan = await served.post('/dags/sums/backfills/dry-run', body);
    expect(plan).toMatchObject({ total: 5, create: 1, clear: 1, pass: 3 });
    expect(await served.post('/dags/sums/backfills', body)).toMatchObject({ backfillId: 2, reverse: true, only: null });
    expect(await over('sums', 2)).toMatchObject({ state: 'completed', created: 1, cleared: 1, passed: 3 });
    const dates = await served.get<Rows>('/dags/sums/backfills/2/dates');
    expect(dates.items.map((date) => [date['action'], date['reason']])).toEqual([
      ['create', null],
      ['pass', 'already exists'],
      ['clear', null],
      ['pass', 'already exists'],
      ['pass', 'already exists'],
    ]);
    const again = await served.get('/dags/sums/runs/backfill__2026-01-04T00:00:00%2B00:00');
    expect(again).toMatchObject({ backfillId: 2, runType: 'backfill' });
  });

  it('of chosen tasks has no others', async () => {
    const range = ['--from', '2026-02-01', '--to', '2026-02-01'];
    expect((await call('backfill', 'create', 'sums', ...range, '--task', 'sum')).err).toContain("values of 'read'");
    await ok('backfill', 'create', 'sums', ...range, '--task', 'sum', '--upstream');
    await over('sums', 3);
    const tasks = await served.get<Rows>('/dags/sums/runs/backfill__2026-02-02T00:00:00%2B00:00/tasks');
    expect(tasks.items.map((task) => [task['taskId'], task['state']])).toEqual([
      ['read', 'success'],
      ['sum', 'success'],
    ]);
    expect(await served.xcom('sums', 'backfill__2026-02-02T00:00:00+00:00', 'sum')).toBe('2026-02-01');
  });

  it('is refused with what is allowed', async () => {
    const { code, err } = await call('backfill', 'create', 'sums', '--from', '2101-01-01', '--to', '2101-01-02');
    expect([code, err]).toEqual([1, expect.stringContaining('is in the future')]);
    expect((await call('backfill', 'show', 'sums', 'first')).err).toContain("backfill 'first' is not allowed");
    expect((await call('backfill', 'pause', 'sums', '99')).err).toContain('has no backfill 99');
  });

  it('is paused, goes on after the platform was killed, and ends', async () => {
    const body = { from: '2018-01-01', to: '2024-11-05', maxActiveRuns: 3 };
    await served.post('/dags/many/backfills', body);
    const paused = await served.post('/dags/many/backfills/1/pause');
    expect(paused).toMatchObject({ state: 'paused', dates: 2_501 });
    expect(paused['created']).toBeLessThan(2_501);
    expect(await ok('backfill', 'list', '--open')).toContain('many');
    await served.platform.end('SIGKILL');
    served = await project.serve();
    await ok('backfill', 'resume', 'many', '1');
    expect(await over('many', 1)).toMatchObject({ state: 'completed', created: 2_501 });
    const runs = await served.get<Rows>('/dags/many/runs?backfillId=1&state=success&limit=1');
    expect(runs.total).toBe(2_501);
  });

  it('is cancelled', async () => {
    await served.post('/dags/sums/backfills', { from: '2024-01-01', to: '2024-12-31', maxActiveRuns: 1 });
    await ok('backfill', 'cancel', 'sums', '4');
    expect(await served.get('/dags/sums/backfills/4')).toMatchObject({ state: 'cancelled' });
    const waiting = await served.get<Rows>('/dags/sums/runs?backfillId=4&state=queued');
    expect(waiting.total).toBe(0);
  });
});

describe('a timetable of the author’s own', () => {
  it('makes runs, is previewed, and hurts nobody when it never ends', async () => {
    project.write('tides.ts', TIDES);
    await served.dag('tides');
    await until('runs of tides', async () => (await served.get<Rows>('/dags/tides/runs?state=success')).total >= 2);
    const next = await served.get<Rows>('/dags/tides/next?count=50');
    expect(next.items).toHaveLength(50);
    expect(await ok('dags', 'next', 'tides', '--count', '3')).toContain('RUNS AFTER');
    const failed = await until('the failure of endless', async () => {
      const answer = await served.get('/dags/endless/next');
      return answer['problem'] === undefined ? undefined : answer;
    });
    expect(failed['problem']).toContain('did not finish');
    const told = await call('dags', 'next', 'endless');
    expect(told.err).toContain('the timetable of endless failed');
  });
});
