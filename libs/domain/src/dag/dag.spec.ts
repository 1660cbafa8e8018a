import { dagDefinition, dagScheduling } from '@rondo/testing';
import {
  admit,
  closeRun,
  DagDecision,
  evolveDag,
  initialDag,
  nextDagWake,
  publishVersion,
  reopenRun,
  retire,
  runStandOf,
  setPaused,
  tick,
  triggerRun,
  type DagEvent,
  type DagScheduling,
  type DagState,
  type TriggerRun,
} from './index.ts';

const DAY = 86_400_000;
const NOON = Date.UTC(2024, 0, 10, 12);
const daily = { kind: 'cron_interval', expression: '0 0 * * *', timezone: 'UTC' } as const;

/** One DAG as its scheduler drives it. */
class Dag {
  readonly history: DagEvent[] = [];
  readonly state: DagState = initialDag('dag');
  now = NOON;

  static published(change: Partial<DagScheduling> = {}): Dag {
    const dag = new Dag();
    const event: DagEvent = {
      type: 'DagVersionPublished',
      data: { version: 'v1', file: 'dag.ts', bundle: 'b', scheduling: dagScheduling(change) },
    };
    evolveDag(dag.state, event);
    dag.history.push(event);
    return dag;
  }

  decide<T>(change: (d: DagDecision) => T): T {
    const d = new DagDecision(this.state, this.now);
    const result = change(d);
    this.history.push(...d.events);
    return result;
  }

  trigger(change: Partial<TriggerRun> = {}) {
    return this.decide((d) => triggerRun(d, { runType: 'manual', triggeredBy: 'user', suffix: 'x', ...change }));
  }

  run(runId: string, change: Partial<TriggerRun> = {}): void {
    expect(this.trigger({ runId, ...change })).toEqual({ ok: true, value: { runId, existed: false } });
  }

  close(runId: string, state: 'success' | 'failed' = 'success'): void {
    this.decide((d) => closeRun(d, runId, state));
  }

  tick = (): void => this.decide(tick);

  get types(): string[] {
    return this.history.slice(1).map((event) => event.type);
  }

  get active(): string[] {
    return [...this.state.active.keys()];
  }

  get scheduled(): string[] {
    return this.history.flatMap((e) =>
      e.type === 'RunRequested' && e.data.runType === 'scheduled' ? e.data.runId.slice('scheduled__'.length, -6) : [],
    );
  }
}

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
