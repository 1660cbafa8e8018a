import { dagDefinition, DagHarness as Dag, type DagSpec } from '@rondo/testing';
import {
  admit,
  cancelBackfill,
  createBackfill,
  DATES_PER_DECISION,
  MAX_BACKFILL_DATES,
  nextDagWake,
  pauseBackfill,
  planBackfill,
  previewRuns,
  publishVersion,
  reopenRun,
  retire,
  setPaused,
  tick,
  type CreateBackfill,
  type DagScheduling,
} from '../index.ts';

const DAY = 86_400_000;
const day = (n: number): number => Date.UTC(2024, 0, n);
const daily = { kind: 'cron_interval', expression: '0 0 * * *', timezone: 'UTC' } as const;
const plain = dagDefinition({ tasks: [{ id: 'a' }] });
const runId = (n: number): string => `backfill__2024-01-0${n + 1}T00:00:00+00:00`;

function withDag(change: Partial<DagScheduling> = {}, spec: DagSpec = { tasks: [{ id: 'a' }] }) {
  const dag = Dag.published({ timetable: daily, startDate: day(100), ...change });
  const definition = dagDefinition(spec);
  const ask = (command: Partial<CreateBackfill> = {}) =>
    dag.decide((d) => createBackfill(d, { from: day(1), to: day(5), ...command }, definition));
  return { dag, ask };
}
const closeAll = (dag: Dag, state: 'success' | 'failed' = 'success'): void => {
  for (const id of dag.active) dag.close(id, state);
};
/** What became of each date, in the order of the backfill. */
const fates = (dag: Dag): string[] =>
  dag.history.flatMap((event) => {
    if (event.type === 'RunRequested' && event.data.backfill !== undefined)
      return [`${event.data.backfill.ordinal} ${event.data.runId}`];
    if (event.type === 'RunReopened' && event.data.backfill !== undefined)
      return [`${event.data.backfill.ordinal} again ${event.data.runId}`];
    if (event.type !== 'BackfillDatesPassed') return [];
    return event.data.dates.map(({ ordinal, reason }) => `${ordinal} ${reason}`);
  });

describe('a backfill', () => {
  it('runs each date of the timetable in its range once, whatever the start date, and is completed', () => {
    const { dag, ask } = withDag();
    expect(ask()).toEqual({ ok: true, value: { backfillId: 1, existed: false, dates: 5 } });
    dag.tick();
    expect(fates(dag)).toEqual([1, 2, 3, 4, 5].map((n) => `${n} ${runId(n)}`));
    expect(dag.active).toEqual([1, 2, 3, 4, 5].map(runId));
    const first = dag.history.find((event) => event.type === 'RunRequested')!;
    expect(first.data).toEqual({
      runId: runId(1),
      runType: 'backfill',
      logicalDate: day(1),
      dataInterval: [day(1), day(2)],
      runAfter: day(2),
      triggeredBy: 'backfill',
      backfill: { backfillId: 1, ordinal: 1 },
    });
    closeAll(dag);
    expect(dag.types.at(-1)).toBe('BackfillCompleted');
    expect(dag.state.backfills.get(1)).toMatchObject({ stand: 'completed', taken: 5 });
    expect(ask()).toMatchObject({ ok: true, value: { backfillId: 2 } });
  });

  it('counts both bounds in, and no interval that has not ended', () => {
    const { ask } = withDag();
    expect(ask({ from: day(9), to: day(20) })).toMatchObject({ value: { dates: 1 } });
    const one = withDag();
    expect(one.ask({ from: day(5), to: day(5) })).toMatchObject({ value: { dates: 1 } });
    const exact = withDag();
    exact.dag.now = day(10);
    expect(exact.ask({ from: day(9), to: day(20) })).toMatchObject({ error: { code: 'invalid' } });
  });

  it('goes from the newest date to the oldest in reverse', () => {
    const { dag, ask } = withDag();
    ask({ reverse: true, maxActiveRuns: 1 });
    dag.tick();
    expect(fates(dag)).toEqual([5, 4, 3, 2, 1].map((n, at) => `${at + 1} ${runId(n)}`));
    expect(dag.active).toEqual([runId(5)]);
  });

  it('has a limit of its own, in the order of its dates, and other runs start before it', () => {
    const { dag, ask } = withDag({ maxActiveRuns: 1 });
    ask({ maxActiveRuns: 2, conf: { a: 1 } });
    dag.run('mine');
    dag.run('later');
    dag.tick();
    expect(dag.active).toEqual(['mine', runId(1), runId(2)]);
    dag.close(runId(2));
    dag.tick();
    expect(dag.active).toEqual(['mine', runId(1), runId(3)]);
    dag.close('mine');
    dag.tick();
    expect(dag.active).toEqual([runId(1), runId(3), 'later']);
    expect(
      dag.history.filter((e) => e.type === 'RunRequested' && e.data.backfill !== undefined)[0]?.data,
    ).toMatchObject({ conf: { a: 1 } });
  });

  it('takes its dates batch by batch, and asks to be looked at until all are taken', () => {
    const { dag, ask } = withDag();
    ask({ from: day(10) - 1_000 * DAY, to: day(9), maxActiveRuns: 500 });
    expect(nextDagWake(dag.state, dag.now)).toBe(dag.now);
    dag.tick();
    expect(fates(dag)).toHaveLength(DATES_PER_DECISION);
    while (nextDagWake(dag.state, dag.now) === dag.now) dag.tick();
    expect(dag.state.backfills.get(1)).toMatchObject({ taken: 1_000, queued: { size: 500 }, active: { size: 500 } });
    while (dag.active.length > 0) {
      closeAll(dag);
      dag.tick();
    }
    expect(fates(dag)).toHaveLength(1_000);
    expect(dag.state.backfills.get(1)!.stand).toBe('completed');
  });

  it('lets only so many of its runs wait', () => {
    const { dag, ask } = withDag();
    ask({ from: day(10) - 50 * DAY, to: day(9), maxActiveRuns: 1 });
    dag.tick();
    dag.tick();
    expect(dag.state.backfills.get(1)).toMatchObject({ queued: { size: 20 }, taken: 21 });
    expect(nextDagWake(dag.state, dag.now)).toBe(day(100) + DAY);
  });

  it('keeps the timetable that it was made with', () => {
    const { dag, ask } = withDag();
    ask({ maxActiveRuns: 1 });
    dag.decide((d) => publishVersion(d, 'v2', { ...plain, timetable: { kind: 'none' } }, 'b'));
    dag.tick();
    expect(fates(dag)).toHaveLength(5);
  });

  it('goes on where it was when its history is folded again', () => {
    const { dag, ask } = withDag();
    ask({ maxActiveRuns: 2, reverse: true });
    dag.tick();
    closeAll(dag);
    const back = new Dag();
    for (const event of dag.history) back.decide((d) => d.emit(structuredClone(event)));
    expect(back.state).toEqual(dag.state);
  });

  it('is the same one when it is asked for with the same key', () => {
    const { ask } = withDag();
    ask({ key: 'k' });
    expect(ask({ key: 'k' })).toEqual({ ok: true, value: { backfillId: 1, existed: true, dates: 5 } });
  });
});

describe('a date that has a run', () => {
  const world = () => {
    const { dag, ask } = withDag();
    for (const [id, n] of [
      ['failed', 1],
      ['success', 2],
      ['active', 3],
    ] as const) {
      dag.run(id, { logicalDate: day(n) });
      dag.decide(admit);
    }
    dag.close('failed', 'failed');
    dag.close('success');
    return { dag, ask };
  };

  it.each([
    ['none', ['1 already exists', '2 already exists', '3 in flight']],
    ['failed', ['1 again failed', '2 already exists', '3 in flight']],
    ['completed', ['1 again failed', '2 again success', '3 in flight']],
  ] as const)('is left or run again as reprocess %s says', (reprocess, expected) => {
    const { dag, ask } = world();
    ask({ reprocess });
    dag.tick();
    expect(fates(dag)).toEqual([...expected, `4 ${runId(4)}`, `5 ${runId(5)}`]);
  });

  it('becomes a run of the backfill when it is run again', () => {
    const { dag, ask } = world();
    ask({ reprocess: 'failed', runOnLatestVersion: true, maxActiveRuns: 1 });
    dag.tick();
    expect(dag.history.find((event) => event.type === 'RunReopened')!.data).toEqual({
      runId: 'failed',
      backfill: { backfillId: 1, ordinal: 1 },
      logicalDate: day(1),
    });
    expect(dag.types).not.toContain('RunVersionChanged');
    expect(dag.state.line.find('failed')).toMatchObject({ runType: 'backfill', ordinal: 1 });
    expect(dag.state.active.get('failed')).toMatchObject({ backfill: { backfillId: 1, ordinal: 1 } });
    expect(dag.active).toEqual(['active', 'failed']);
  });

  it('keeps its version, or takes the newest', () => {
    const versions = [false, true].map((runOnLatestVersion) => {
      const { dag, ask } = world();
      dag.decide((d) => publishVersion(d, 'v2', { ...plain, timetable: daily, startDate: day(100) }, 'b'));
      ask({ reprocess: 'failed', runOnLatestVersion });
      dag.tick();
      return dag.state.active.get('failed')?.version;
    });
    expect(versions).toEqual(['v1', 'v2']);
  });

  it('is told beforehand by a dry run, which changes nothing', () => {
    const { dag } = world();
    const before = dag.history.length;
    const planned = dag.decide((d) => planBackfill(d, { from: day(1), to: day(4), reprocess: 'failed' }, plain));
    expect(planned).toMatchObject({
      value: [
        { ordinal: 1, logicalDate: day(1), dataInterval: [day(1), day(2)], action: 'clear', runId: 'failed' },
        { action: 'pass', runId: 'success', reason: 'already exists' },
        { action: 'pass', runId: 'active', reason: 'in flight' },
        { ordinal: 4, action: 'create' },
      ],
    });
    expect(dag.history).toHaveLength(before);
  });

  it('waits to be cleared until its run is in memory, and is passed over where it can never be', () => {
    const { dag, ask } = world();
    ask({ reprocess: 'completed' });
    dag.decide((d) => tick(d, (id) => (id === 'failed' ? 'now' : 'later')));
    expect(fates(dag)).toEqual(['1 again failed']);
    dag.decide((d) => tick(d, () => 'never'));
    expect(fates(dag).slice(1, 3)).toEqual(['2 quarantined', '3 in flight']);
  });
});

describe('a backfill of partitions', () => {
  const partitions = {
    kind: 'cron_partition',
    expression: '0 0 * * *',
    timezone: 'UTC',
    keyFormat: '%Y-%m-%d',
  } as const;

  it('makes a run for each key, which has no date, and looks for runs by their keys', () => {
    const { dag, ask } = withDag({ timetable: partitions });
    dag.now = day(3) + 1;
    ask({ from: day(1), to: day(2) });
    dag.tick();
    const made = dag.history.flatMap((event) => (event.type === 'RunRequested' ? [event.data] : []));
    expect(made).toMatchObject([
      { partitionKey: '2024-01-01', logicalDate: null, dataInterval: null, runAfter: day(1), runType: 'backfill' },
      { partitionKey: '2024-01-02', runId: 'backfill__2024-01-02T00:00:00+00:00__2024-01-02__1' },
    ]);
    closeAll(dag, 'failed');
    ask({ from: day(1), to: day(3), reprocess: 'failed' });
    dag.tick();
    expect(fates(dag).slice(2)).toEqual([
      '1 again backfill__2024-01-01T00:00:00+00:00__2024-01-01__1',
      '2 again backfill__2024-01-02T00:00:00+00:00__2024-01-02__1',
      '3 backfill__2024-01-03T00:00:00+00:00__2024-01-03__2',
    ]);
  });

  it('is passed over where the timetable has made the run, and moves the timetable on', () => {
    const { dag, ask } = withDag({ timetable: partitions, startDate: day(8), catchup: true });
    dag.tick();
    closeAll(dag);
    ask({ from: day(7), to: day(9) });
    dag.tick();
    expect(fates(dag)).toEqual([
      '1 backfill__2024-01-07T00:00:00+00:00__2024-01-07__1',
      '2 already exists',
      '3 already exists',
    ]);
    expect(dag.state.last).toEqual([day(10), day(10)]);
  });
});

describe('a backfill is refused', () => {
  const past: DagSpec = { tasks: [{ id: 'a' }, { id: 'p', upstream: ['a'], dependsOnPast: true }] };
  it.each<[string, Partial<DagScheduling>, DagSpec, Partial<CreateBackfill>, string, string]>([
    ['without a schedule', { timetable: { kind: 'none' } }, { tasks: [] }, {}, 'invalid', 'no schedule'],
    ['with both dates in the future', {}, { tasks: [] }, { from: day(11), to: day(12) }, 'invalid', 'in the future'],
    ['with its dates the wrong way', {}, { tasks: [] }, { from: day(5), to: day(4) }, 'invalid', 'is after to'],
    ['without any date', {}, { tasks: [] }, { from: day(1) + 1, to: day(2) - 1 }, 'invalid', 'no date'],
    ['without room for a run', {}, { tasks: [] }, { maxActiveRuns: 0 }, 'invalid', 'maxActiveRuns 0'],
    [
      'in reverse over tasks that depend on their past',
      {},
      past,
      { reverse: true, reprocess: 'failed' },
      'invalid',
      'reverse',
    ],
    ['over such tasks without running failed dates again', {}, past, {}, 'invalid', "task 'p'"],
    [
      'of tasks that the DAG lacks',
      {},
      past,
      { only: { taskIds: ['x'] } },
      'invalid',
      "no task 'x'; its tasks are a, p",
    ],
  ])('%s', (_, scheduling, spec, command, code, message) => {
    const { dag, ask } = withDag(scheduling, spec);
    expect(ask(command)).toMatchObject({ ok: false, error: { code, message: expect.stringContaining(message) } });
    expect(dag.types).toEqual([]);
  });

  it('beside another that is not over, and of a DAG that is retired', () => {
    const { dag, ask } = withDag();
    ask();
    dag.decide((d) => pauseBackfill(d, 1, true));
    expect(ask()).toMatchObject({ error: { code: 'conflict', message: expect.stringContaining('1 (paused)') } });
    dag.decide((d) => cancelBackfill(d, 1));
    dag.decide((d) => retire(d, 'gone'));
    expect(ask()).toMatchObject({ error: { code: 'retired' } });
  });

  it('with more dates than there may be', () => {
    const { ask } = withDag({ timetable: { kind: 'delta_trigger', deltaMs: 1_000 } });
    expect(ask({ from: day(1), to: day(1) + MAX_BACKFILL_DATES * 1_000 })).toMatchObject({
      error: { message: expect.stringContaining(`more than ${MAX_BACKFILL_DATES}`) },
    });
    expect(ask({ from: day(1), to: day(1) + (MAX_BACKFILL_DATES - 1) * 1_000 })).toMatchObject({
      value: { dates: MAX_BACKFILL_DATES },
    });
  });

  it('not when only tasks are chosen that do not depend on their past', () => {
    expect(withDag({}, past).ask({ reverse: true, only: { taskIds: ['a'] } })).toMatchObject({ ok: true });
  });
});

describe('a backfill in the course of time', () => {
  it('starts nothing while it is paused, and goes on after', () => {
    const { dag, ask } = withDag();
    ask({ maxActiveRuns: 2 });
    dag.tick();
    dag.decide((d) => pauseBackfill(d, 1, true));
    dag.decide((d) => pauseBackfill(d, 1, true));
    closeAll(dag);
    dag.tick();
    expect(dag.active).toEqual([]);
    expect(nextDagWake(dag.state, dag.now)).toBe(day(100) + DAY);
    dag.decide((d) => pauseBackfill(d, 1, false));
    dag.tick();
    expect(dag.active).toEqual([runId(3), runId(4)]);
    expect(dag.types.filter((type) => type.startsWith('BackfillPaused'))).toHaveLength(1);
  });

  it('starts nothing while its DAG is paused', () => {
    const { dag, ask } = withDag();
    ask();
    dag.decide((d) => setPaused(d, true));
    dag.tick();
    expect(dag.active).toEqual([]);
  });

  it('when cancelled fails what waits, lets go on what is active, and takes no more dates', () => {
    const { dag, ask } = withDag({ maxConsecutiveFailedDagRuns: 1 });
    ask({ from: day(10) - 50 * DAY, to: day(9), maxActiveRuns: 1 });
    dag.tick();
    const [active] = dag.active;
    dag.decide((d) => cancelBackfill(d, 1));
    expect(dag.active).toEqual([active]);
    expect(dag.state.queued.size).toBe(0);
    expect(dag.history.at(-1)).toMatchObject({
      type: 'RunClosed',
      data: { state: 'failed', reason: 'backfill_cancelled' },
    });
    expect(dag.state).toMatchObject({ paused: false, failedInARow: 0 });
    dag.tick();
    dag.close(active!);
    expect(fates(dag)).toHaveLength(20);
    expect(dag.types).not.toContain('BackfillCompleted');
    for (const change of [pauseBackfill, cancelBackfill])
      expect(dag.decide((d) => change(d, 1, true))).toMatchObject({ error: { code: 'conflict' } });
    expect(dag.decide((d) => cancelBackfill(d, 7))).toMatchObject({ error: { code: 'not_found' } });
  });

  it('completes a cancellation that was cut short, and leaves alone what was cleared after it', () => {
    const { dag, ask } = withDag();
    ask({ maxActiveRuns: 1 });
    dag.tick();
    dag.decide((d) => d.emit({ type: 'BackfillCancelled', data: { backfillId: 1 } }));
    dag.tick();
    expect(dag.state.queued.size).toBe(0);
    dag.decide((d) => reopenRun(d, runId(2)));
    dag.tick();
    expect([...dag.state.queued.keys()]).toEqual([runId(2)]);
    closeAll(dag);
    dag.tick();
    expect(dag.active).toEqual([runId(2)]);
  });

  it('runs again what an earlier one was cancelled before', () => {
    const { dag, ask } = withDag();
    ask({ maxActiveRuns: 1 });
    dag.tick();
    dag.decide((d) => cancelBackfill(d, 1));
    closeAll(dag);
    ask({ reprocess: 'failed' });
    dag.tick();
    expect(dag.active).toEqual([2, 3, 4, 5].map(runId));
    expect(dag.state.active.get(runId(2))).toMatchObject({
      requested: { runId: runId(2) },
      backfill: { backfillId: 2 },
    });
  });

  it('moves the timetable on when its last date is later', () => {
    const { dag, ask } = withDag({ startDate: day(1), catchup: true });
    dag.decide((d) => setPaused(d, true));
    ask({ from: day(3), to: day(4) });
    dag.tick();
    dag.decide((d) => setPaused(d, false));
    dag.tick();
    expect(dag.scheduled).toEqual(
      [5, 6, 7, 8, 9, 10].map((n) => `2024-01-${String(n + 1).padStart(2, '0')}T00:00:00`).slice(0, 5),
    );
    expect(previewRuns(dag.state, dag.now, 2).map((run) => run.logicalDate)).toEqual([day(10), day(11)]);
  });

  it('is told by a run that somebody clears after its end, which counts for its limit', () => {
    const { dag, ask } = withDag({ maxActiveRuns: 1 });
    ask({ maxActiveRuns: 1, to: day(2) });
    for (let i = 0; i < 2; i++) {
      dag.tick();
      closeAll(dag);
    }
    expect(dag.state.backfills.get(1)!.stand).toBe('completed');
    dag.run('mine');
    dag.decide((d) => {
      reopenRun(d, runId(1));
      reopenRun(d, runId(2));
    });
    dag.tick();
    expect(dag.active).toEqual(['mine', runId(1)]);
  });
});
