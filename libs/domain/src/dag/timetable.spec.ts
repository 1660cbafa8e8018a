import { dagDefinition, DagHarness as Dag, NOON } from '@rondo/testing';
import { createBackfill } from '../backfill/index.ts';
import {
  admit,
  evolveDag,
  initialDag,
  nextDagWake,
  previewRuns,
  reopenRun,
  schedulingOf,
  setPaused,
  tasksOfRun,
  type DagEvent,
  type DagScheduling,
} from './index.ts';

const DAY = 86_400_000;
const daily = { kind: 'cron_interval', expression: '0 0 * * *', timezone: 'UTC' } as const;

describe('the timetable', () => {
  const since = (days: number): Partial<DagScheduling> => ({ timetable: daily, startDate: NOON - days * DAY });

  it('with catchup asks for every run since the start date, as many as may be open', () => {
    const dag = Dag.published({ ...since(5), catchup: true, maxActiveRuns: 2 });
    dag.tick();
    expect(dag.scheduled).toEqual(['2024-01-07T00:00:00', '2024-01-08T00:00:00']);
    expect(nextDagWake(dag.state, dag.now)).toBeUndefined();
    dag.close(dag.active[0]!);
    expect(nextDagWake(dag.state, dag.now)).toBe(dag.now);
    dag.tick();
    expect(dag.scheduled.at(-1)).toBe('2024-01-09T00:00:00');
    expect(dag.history.at(-2)).toMatchObject({
      type: 'RunRequested',
      data: {
        logicalDate: Date.UTC(2024, 0, 8),
        dataInterval: [Date.UTC(2024, 0, 8), Date.UTC(2024, 0, 9)],
        triggeredBy: 'timetable',
      },
    });
  });

  it('asks for ten runs in one decision, then goes on', () => {
    const dag = Dag.published({ ...since(25), catchup: true, maxActiveRuns: 100 });
    dag.tick();
    expect(dag.scheduled).toHaveLength(10);
    expect(nextDagWake(dag.state, dag.now)).toBe(dag.now);
    dag.tick();
    dag.tick();
    expect(dag.scheduled).toHaveLength(24);
    expect(nextDagWake(dag.state, dag.now)).toBe(Date.UTC(2024, 0, 11));
  });

  it('without catchup asks for the latest only', () => {
    const dag = Dag.published({ ...since(25), catchup: false });
    dag.tick();
    dag.tick();
    expect(dag.scheduled).toEqual(['2024-01-10T00:00:00']);
    expect(nextDagWake(dag.state, dag.now)).toBe(Date.UTC(2024, 0, 11));
    dag.now = Date.UTC(2024, 0, 11);
    dag.tick();
    expect(dag.scheduled.at(-1)).toBe('2024-01-11T00:00:00');
  });

  it('asks for nothing while the DAG is paused, and goes on from where it was', () => {
    const dag = Dag.published({ ...since(2), catchup: true });
    dag.decide((d) => setPaused(d, true));
    dag.tick();
    expect(dag.scheduled).toEqual([]);
    expect(nextDagWake(dag.state, dag.now)).toBeUndefined();
    dag.decide((d) => setPaused(d, false));
    dag.tick();
    expect(dag.scheduled).toHaveLength(1);
  });

  it('ends with the end date, and a run once is one run', () => {
    const dag = Dag.published({ ...since(5), endDate: Date.UTC(2024, 0, 7), catchup: true });
    dag.tick();
    expect(dag.scheduled).toEqual(['2024-01-07T00:00:00', '2024-01-08T00:00:00']);
    const once = Dag.published({ timetable: { kind: 'once' }, startDate: NOON - DAY });
    once.tick();
    once.tick();
    expect(once.scheduled).toHaveLength(1);
  });

  it('passes over logical dates that have a run already', () => {
    const dag = Dag.published({ ...since(3), catchup: true });
    dag.run('mine', { logicalDate: Date.UTC(2024, 0, 8) });
    dag.tick();
    expect(dag.scheduled).toEqual(['2024-01-10T00:00:00']);
    const once = Dag.published({ timetable: { kind: 'once' }, startDate: NOON - DAY });
    once.run('mine', { logicalDate: NOON - DAY });
    once.tick();
    expect(once.scheduled).toEqual([]);
    expect(nextDagWake(once.state, once.now)).toBeUndefined();
  });

  it('never takes the id of a run that exists, which only a run by the timetable may have', () => {
    const dag = Dag.published({ ...since(2), catchup: true });
    const runId = 'scheduled__2024-01-10T00:00:00+00:00';
    expect(dag.trigger({ runId })).toMatchObject({
      error: { code: 'invalid', message: expect.stringContaining("'scheduled__'") },
    });
    dag.run(runId, { runType: 'scheduled' });
    dag.decide(admit);
    dag.tick();
    expect(dag.active).toEqual([runId]);
    expect(dag.state.queued.size).toBe(0);
    dag.now += DAY;
    dag.tick();
    expect(dag.scheduled).toEqual(['2024-01-10T00:00:00', '2024-01-11T00:00:00']);
  });
});

describe('a continuous timetable', () => {
  it('without a start date starts now, and goes on when its run has ended', () => {
    const dag = Dag.published({ timetable: { kind: 'continuous' }, maxActiveRuns: 1 });
    dag.tick();
    dag.now += 5_000;
    dag.tick();
    expect(dag.scheduled).toHaveLength(1);
    dag.close(dag.active[0]!);
    dag.tick();
    expect(dag.history.findLast((event) => event.type === 'RunRequested')).toMatchObject({
      data: { dataInterval: [NOON, NOON + 5_000] },
    });
    expect(previewRuns(dag.state, dag.now + 1, 5)).toHaveLength(1);
  });
});

describe('the next runs', () => {
  it('are told as if the DAG were on and had room, without dates that have a run', () => {
    const dag = Dag.published({ timetable: daily, startDate: NOON - 3 * DAY, catchup: true, maxActiveRuns: 1 });
    dag.run('mine', { logicalDate: Date.UTC(2024, 0, 8) });
    dag.decide((d) => setPaused(d, true));
    const dates = previewRuns(dag.state, dag.now, 3).map((run) => new Date(run.logicalDate).toISOString().slice(0, 10));
    expect(dates).toEqual(['2024-01-09', '2024-01-10', '2024-01-11']);
    expect(previewRuns(Dag.published().state, NOON, 3)).toEqual([]);
    expect(previewRuns(new Dag().state, NOON, 3)).toEqual([]);
  });
});

describe('dates of tasks', () => {
  const day = (n: number): number => Date.UTC(2024, 0, n);
  const definition = dagDefinition({
    timetable: daily,
    startDate: day(5),
    catchup: true,
    tasks: [
      { id: 'early', startDate: day(3), endDate: day(7) },
      { id: 'late', upstream: ['early'], startDate: day(8) },
      { id: 'always' },
    ],
  });
  const tasksOn = (date: number, change: Partial<typeof definition> = {}) => {
    const dag = Dag.published({ timetable: daily, startDate: day(100) });
    dag.run('r', { logicalDate: date });
    return tasksOfRun(dag.state, 'r', { ...definition, ...change });
  };

  it('bound the schedule together with those of the DAG', () => {
    expect(schedulingOf(definition).startDate).toBe(day(3));
    expect(schedulingOf(dagDefinition({ tasks: [{ id: 'a', startDate: day(9) }] })).startDate).toBe(day(9));
    expect(schedulingOf(dagDefinition({ tasks: [] })).startDate).toBeUndefined();
  });

  it('say which tasks a run has, bounds included', () => {
    expect(tasksOn(day(7))).toEqual(['early', 'always']);
    expect(tasksOn(day(8))).toEqual(['late', 'always']);
    expect(tasksOn(day(8), { tasks: [] })).toBeUndefined();
  });

  it('without catchup leave nothing out that is yet to start', () => {
    expect(tasksOn(day(7), { catchup: false })).toBeUndefined();
    expect(tasksOn(day(8), { catchup: false })).toEqual(['late', 'always']);
  });

  it('leave nothing out of a backfill, nor of a run without a date', () => {
    const dag = Dag.published({ timetable: daily, startDate: day(100) });
    dag.run('none');
    dag.decide((d) => createBackfill(d, { from: day(1), to: day(2) }, definition));
    dag.tick();
    for (const runId of dag.active) expect(tasksOfRun(dag.state, runId, definition)).toBeUndefined();
  });
});

it('folds to the same state from its history', () => {
  const dag = Dag.published({ timetable: daily, startDate: NOON - 5 * DAY, catchup: true, maxActiveRuns: 2 });
  dag.tick();
  dag.run('mine', { key: 'k', logicalDate: NOON, waiter: { dagId: 'd', runId: 'r', attempt: 'a' } });
  dag.close(dag.active[0]!, 'failed');
  dag.tick();
  dag.decide((d) => reopenRun(d, 'scheduled__2024-01-07T00:00:00+00:00'));
  const replayed = initialDag('dag');
  for (const event of JSON.parse(JSON.stringify(dag.history)) as DagEvent[]) evolveDag(replayed, event);
  expect(replayed).toEqual(dag.state);
});
