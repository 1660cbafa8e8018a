import { dagDefinition, DagHarness as Dag, NOON } from '@rondo/testing';
import { admit, nextDagWake, publishVersion, reopenRun, retire, runStandOf, setPaused } from './index.ts';

const DAY = 86_400_000;
const daily = { kind: 'cron_interval', expression: '0 0 * * *', timezone: 'UTC' } as const;

describe('versions of a DAG', () => {
  const definition = dagDefinition({ tasks: [{ id: 'a' }] });

  it('are published once each; a new DAG may begin paused', () => {
    const dag = new Dag();
    dag.decide((d) => publishVersion(d, 'v1', { ...definition, isPausedUponCreation: true }, 'bundle'));
    dag.decide((d) => publishVersion(d, 'v1', definition, 'bundle'));
    dag.decide((d) => publishVersion(d, 'v2', { ...definition, isPausedUponCreation: true }, 'bundle'));
    expect(dag.history.map((e) => e.type)).toEqual(['DagVersionPublished', 'DagPaused', 'DagVersionPublished']);
    expect(dag.state).toMatchObject({ version: 'v2', file: 'dag.ts', bundle: 'bundle', paused: true });
  });

  it('keep a continuous timetable to one run at a time', () => {
    const dag = new Dag();
    dag.decide((d) => publishVersion(d, 'v1', { ...definition, timetable: { kind: 'continuous' } }, 'b'));
    expect(dag.state.scheduling).toMatchObject({ maxActiveRuns: 1 });
  });

  it('a DAG whose file is gone is retired, and comes back with its file', () => {
    const dag = new Dag();
    dag.decide((d) => retire(d, 'gone'));
    expect(dag.history).toEqual([]);
    dag.decide((d) => publishVersion(d, 'v1', definition, 'b'));
    dag.decide((d) => retire(d, 'gone'));
    dag.decide((d) => retire(d, 'gone'));
    expect(dag.trigger()).toMatchObject({ ok: false, error: { code: 'retired' } });
    dag.decide((d) => publishVersion(d, 'v1', definition, 'b'));
    expect(dag.history.map((e) => e.type)).toEqual(['DagVersionPublished', 'DagRetired', 'DagVersionPublished']);
    expect(dag.trigger()).toMatchObject({ ok: true });
  });

  it('a retired DAG makes no runs by its timetable and finishes those it has', () => {
    const dag = Dag.published({ timetable: daily, catchup: true, startDate: NOON - 3 * DAY, maxActiveRuns: 1 });
    dag.tick();
    dag.decide((d) => retire(d, 'gone'));
    expect(nextDagWake(dag.state, dag.now)).toBeUndefined();
    dag.close(dag.active[0]!);
    dag.tick();
    expect(dag.scheduled).toHaveLength(1);
  });

  it('of a DAG that nobody published know no command', () => {
    const dag = new Dag();
    expect(dag.trigger()).toMatchObject({ ok: false, error: { code: 'not_found' } });
    expect(dag.decide((d) => setPaused(d, true))).toMatchObject({ ok: false, error: { code: 'not_found' } });
    dag.tick();
    expect(dag.history).toEqual([]);
  });
});

describe('asking for a run', () => {
  it('makes its id of type and instant, with a suffix where it has no logical date', () => {
    const dag = Dag.published();
    expect(dag.trigger()).toMatchObject({ value: { runId: 'manual__2024-01-10T12:00:00+00:00_x' } });
    expect(dag.trigger({ logicalDate: NOON - DAY })).toMatchObject({
      value: { runId: 'manual__2024-01-10T12:00:00+00:00' },
    });
  });

  it('with the same key is the same run, also after its end, and also of a retired DAG', () => {
    const dag = Dag.published();
    const first = dag.trigger({ key: 'k' });
    expect(dag.trigger({ key: 'k', suffix: 'y' })).toMatchObject({ ok: true, value: { existed: true } });
    dag.decide(admit);
    dag.close(dag.active[0]!);
    dag.decide((d) => retire(d, 'gone'));
    expect(dag.trigger({ key: 'k' })).toEqual({ ok: true, value: { ...(first.ok ? first.value : {}), existed: true } });
    expect(dag.types).toEqual(['RunRequested', 'RunAdmitted', 'RunClosed', 'DagRetired']);
  });

  it('with an id or a logical date that exists is a conflict, queued, active or closed', () => {
    const dag = Dag.published({ maxActiveRuns: 1 });
    dag.run('one', { logicalDate: NOON });
    const conflict = { ok: false, error: { code: 'conflict' } };
    expect(dag.trigger({ runId: 'one' })).toMatchObject(conflict);
    dag.decide(admit);
    expect(dag.trigger({ runId: 'one' })).toMatchObject({
      error: { message: "DAG 'dag' has a run 'one' already (active)" },
    });
    dag.close('one', 'failed');
    expect(dag.trigger({ runId: 'one' })).toMatchObject(conflict);
    expect(dag.trigger({ runId: 'two', logicalDate: NOON })).toMatchObject({
      error: { code: 'conflict', message: expect.stringContaining("'one'") },
    });
  });

  it('with an id that is none is refused', () => {
    expect(Dag.published().trigger({ runId: 'a b' })).toMatchObject({ ok: false, error: { code: 'invalid' } });
  });

  it('gives a run with a logical date the interval that its timetable says', () => {
    const dag = Dag.published({ timetable: daily });
    dag.run('dated', { logicalDate: NOON });
    dag.run('bare');
    dag.run('given', { dataInterval: [1, 2] });
    const intervals = dag.history.flatMap((e) => (e.type === 'RunRequested' ? [e.data.dataInterval] : []));
    expect(intervals).toEqual([[Date.UTC(2024, 0, 9), Date.UTC(2024, 0, 10)], null, [1, 2]]);
  });

  it('keeps conf, note, key and waiter', () => {
    const dag = Dag.published();
    const waiter = { dagId: 'd', runId: 'r', attempt: 'd:r:t:1.1' };
    dag.run('one', { conf: { a: 1 }, note: 'n', key: 'k', waiter });
    expect(dag.history[1]!.data).toMatchObject({ conf: { a: 1 }, note: 'n', key: 'k', waiter });
    expect(dag.state.waiters.get('one')).toEqual(waiter);
  });
});

describe('admission', () => {
  it('is in the order of asking, up to maxActiveRuns', () => {
    const dag = Dag.published({ maxActiveRuns: 2 });
    for (const id of ['a', 'b', 'c', 'd']) dag.run(id);
    dag.decide(admit);
    expect(dag.active).toEqual(['a', 'b']);
    dag.close('b');
    dag.decide(admit);
    expect(dag.active).toEqual(['a', 'c']);
    expect(runStandOf(dag.state, 'd')).toBe('queued');
    expect(runStandOf(dag.state, 'b')).toBe('success');
    expect(runStandOf(dag.state, 'x')).toBeUndefined();
  });

  it('waits for the time that a run is asked for, and lets later ones pass', () => {
    const dag = Dag.published();
    dag.run('late', { runAfter: NOON + 1_000 });
    dag.run('now');
    dag.decide(admit);
    expect(dag.active).toEqual(['now']);
    expect(nextDagWake(dag.state, dag.now)).toBe(NOON + 1_000);
    dag.now += 1_000;
    dag.decide(admit);
    expect(dag.active).toEqual(['now', 'late']);
  });

  it('is not while the DAG is paused', () => {
    const dag = Dag.published();
    dag.run('a');
    dag.decide((d) => setPaused(d, true));
    dag.decide((d) => setPaused(d, true));
    dag.tick();
    expect(dag.active).toEqual([]);
    dag.decide((d) => setPaused(d, false));
    dag.tick();
    expect(dag.types).toEqual(['RunRequested', 'DagPaused', 'DagUnpaused', 'RunAdmitted']);
  });

  it('gives a run the version of the moment, and a run that comes back the one it had', () => {
    const dag = Dag.published({ maxActiveRuns: 1 });
    dag.run('a');
    dag.decide(admit);
    dag.decide((d) => publishVersion(d, 'v2', dagDefinition({ tasks: [], maxActiveRuns: 1 }), 'b'));
    dag.close('a', 'failed');
    dag.run('b');
    dag.decide((d) => reopenRun(d, 'a'));
    dag.decide(admit);
    dag.close('b');
    dag.decide(admit);
    const admitted = dag.history.flatMap((e) => (e.type === 'RunAdmitted' ? `${e.data.runId} ${e.data.version}` : []));
    expect(admitted).toEqual(['a v1', 'b v2', 'a v1']);
  });
});

describe('a run that is closed', () => {
  it('is closed once, and reopened only then (I4)', () => {
    const dag = Dag.published({ maxActiveRuns: 1 });
    dag.run('a');
    dag.decide((d) => reopenRun(d, 'a'));
    dag.decide(admit);
    dag.close('a');
    dag.close('a');
    dag.close('unknown');
    dag.decide((d) => reopenRun(d, 'a'));
    expect(runStandOf(dag.state, 'a')).toBe('queued');
    dag.decide(admit);
    expect(runStandOf(dag.state, 'a')).toBe('active');
    expect(dag.types).toEqual(['RunRequested', 'RunAdmitted', 'RunClosed', 'RunReopened', 'RunAdmitted']);
  });

  it('counts for maxActiveRuns when it comes back', () => {
    const dag = Dag.published({ maxActiveRuns: 1 });
    dag.run('a');
    dag.decide(admit);
    dag.close('a');
    dag.run('b');
    dag.decide(admit);
    dag.decide((d) => reopenRun(d, 'a'));
    dag.decide(admit);
    expect(dag.active).toEqual(['b']);
    dag.close('b');
    dag.decide(admit);
    expect(dag.active).toEqual(['a']);
  });

  it('may be closed while it waits to come back', () => {
    const dag = Dag.published();
    dag.run('a');
    dag.decide(admit);
    dag.close('a', 'failed');
    dag.decide((d) => reopenRun(d, 'a'));
    dag.close('a');
    expect(runStandOf(dag.state, 'a')).toBe('success');
    dag.decide(admit);
    expect(dag.active).toEqual([]);
  });

  it('pauses its DAG after the given number of failures in a row', () => {
    const dag = Dag.published({ maxConsecutiveFailedDagRuns: 2 });
    const end = (runId: string, state: 'success' | 'failed'): void => {
      dag.run(runId);
      dag.decide(admit);
      dag.close(runId, state);
    };
    end('a', 'failed');
    end('b', 'success');
    end('c', 'failed');
    expect(dag.state.paused).toBe(false);
    end('d', 'failed');
    expect(dag.state.paused).toBe(true);
    expect(dag.history.at(-1)).toEqual({
      type: 'DagPaused',
      data: { reason: 'the last 2 runs failed (maxConsecutiveFailedDagRuns 2)' },
    });
    dag.decide((d) => setPaused(d, false));
    end('e', 'failed');
    expect(dag.state.paused).toBe(false);
  });

  it('counts as one failure, however often it comes back', () => {
    const dag = Dag.published({ maxConsecutiveFailedDagRuns: 2 });
    dag.run('a');
    dag.decide(admit);
    dag.close('a', 'failed');
    dag.decide((d) => reopenRun(d, 'a'));
    dag.decide(admit);
    dag.close('a', 'failed');
    expect(dag.state).toMatchObject({ paused: false, failedInARow: 1 });
  });
});
