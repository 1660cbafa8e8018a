import { DagHarness as Dag, NOON } from '@rondo/testing';
import { createBackfill } from '../backfill/index.ts';
import { dagDefinition } from '@rondo/testing';
import {
  publishVersion,
  failTimetable,
  nextDagWake,
  previewRuns,
  runsWanted,
  tellRuns,
  type DagScheduling,
} from './index.ts';
import type { ToldRun } from '../schedule/index.ts';

const HOUR = 3_600_000;
const custom = { kind: 'custom', name: 'Tides' } as const;
const at = (hours: number): ToldRun => [NOON + hours * HOUR, NOON + hours * HOUR, NOON + hours * HOUR];
const runsAt = (...hours: readonly number[]): ToldRun[] => hours.map(at);

function withRuns(runs: readonly ToldRun[], change: Partial<DagScheduling> = {}, isAtEnd = false): Dag {
  const dag = Dag.published({ timetable: custom, catchup: true, ...change });
  dag.decide((d) => tellRuns(d, 'v1', null, { runs, isAtEnd }));
  return dag;
}
const hours = (dag: Dag): number[] => dag.scheduled.map((iso) => (Date.parse(`${iso}Z`) - NOON) / HOUR);

describe('a timetable of the author’s own', () => {
  it('is asked for its runs, makes those that are due, and is asked for more when few lie ahead', () => {
    const dag = Dag.published({ timetable: custom, catchup: true, startDate: 5, endDate: 9 });
    expect(runsWanted(dag.state, dag.now)).toEqual({ last: null, earliest: 5, latest: 9, catchup: true, count: 100 });
    const many = withRuns(runsAt(...Array.from({ length: 25 }, (_, i) => i - 3)));
    expect(runsWanted(many.state, many.now)).toBeUndefined();
    many.tick();
    expect(hours(many)).toEqual([-3, -2, -1, 0]);
    expect(nextDagWake(many.state, many.now)).toBe(NOON + HOUR);
    many.now += 5 * HOUR;
    many.tick();
    expect(runsWanted(many.state, many.now)).toMatchObject({ last: [NOON + 5 * HOUR, NOON + 5 * HOUR] });
  });

  it('is not asked again at its end, and is when there is a new version', () => {
    const dag = withRuns(runsAt(1), {}, true);
    expect(runsWanted(dag.state, dag.now)).toBeUndefined();
    dag.decide((d) => publishVersion(d, 'v2', dagDefinition({ tasks: [], timetable: custom }), 'b'));
    expect(runsWanted(dag.state, dag.now)).toBeDefined();
    expect(previewRuns(dag.state, dag.now, 5)).toEqual([]);
    dag.decide((d) => tellRuns(d, 'v1', null, { runs: runsAt(2), isAtEnd: false }));
    expect(dag.types.at(-1)).toBe('DagVersionPublished');
  });

  it('without catchup makes the latest that is due, once it is sure which that is', () => {
    const dag = withRuns(runsAt(-4, -3), { catchup: false });
    dag.tick();
    expect(hours(dag)).toEqual([]);
    expect(runsWanted(dag.state, dag.now)).toBeDefined();
    dag.decide((d) => tellRuns(d, 'v1', null, { runs: runsAt(-4, -1, 2), isAtEnd: false }));
    dag.tick();
    expect(hours(dag)).toEqual([-1]);
    const last = withRuns(runsAt(-4, -3), { catchup: false }, true);
    last.tick();
    expect(hours(last)).toEqual([-3]);
  });

  it('keeps to the bounds of the DAG, whatever it tells', () => {
    const dag = withRuns(runsAt(-5, -4, -3, -2), { startDate: NOON - 4 * HOUR, endDate: NOON - 3 * HOUR });
    dag.tick();
    dag.tick();
    expect(hours(dag)).toEqual([-4, -3]);
  });

  it.each<[string, ToldRun[]]>([
    ['goes backwards', runsAt(2, 1)],
    ['goes backwards', runsAt(1, 1)],
    ['ends before it starts', [[NOON, NOON - 1, NOON]]],
    ['instants are wanted', [[Number.NaN, NOON, NOON]]],
    ['instants are wanted', [[NOON, 1e300, NOON]]],
    ['at most 100', runsAt(...Array.from({ length: 101 }, (_, i) => i))],
  ])('that %s has failed, and what it told before still counts', (message, runs) => {
    const dag = withRuns(runsAt(-1, 7));
    dag.decide((d) => tellRuns(d, 'v1', null, { runs, isAtEnd: false }));
    expect(dag.history.at(-1)).toMatchObject({
      type: 'TimetableFailed',
      data: { error: expect.stringContaining(message) },
    });
    dag.tick();
    expect(hours(dag)).toEqual([-1]);
    expect(previewRuns(dag.state, dag.now, 3)).toHaveLength(1);
  });

  it('that goes back behind its last run has failed', () => {
    const dag = withRuns(runsAt(-1, 7));
    dag.tick();
    dag.decide((d) => tellRuns(d, 'v1', dag.state.last, { runs: runsAt(-1), isAtEnd: false }));
    expect(dag.types.at(-1)).toBe('TimetableFailed');
  });

  it('that fails is asked again after a minute, then after longer and longer, at most an hour', () => {
    const dag = Dag.published({ timetable: custom });
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      dag.decide((d) => failTimetable(d, 'v1', 'boom'));
      expect(runsWanted(dag.state, dag.now)).toBeUndefined();
      const again = nextDagWake(dag.state, dag.now)!;
      waits.push((again - dag.now) / 60_000);
      dag.now = again;
      expect(runsWanted(dag.state, dag.now)).toBeDefined();
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    dag.decide((d) => tellRuns(d, 'v1', null, { runs: runsAt(900), isAtEnd: true }));
    expect(dag.state.told).toEqual({ runs: runsAt(900), isAtEnd: true });
  });

  it('is heard inside a timetable of assets and times too', () => {
    const dag = withRuns(runsAt(-1, 5), {
      timetable: { kind: 'asset_or_time', timetable: custom, assets: { kind: 'all', of: [] } as never },
    });
    dag.tick();
    expect(hours(dag)).toEqual([-1]);
  });

  it('cannot be backfilled, which is said', () => {
    const dag = withRuns(runsAt(-1));
    const definition = dagDefinition({ tasks: [] });
    expect(dag.decide((d) => createBackfill(d, { from: 0, to: NOON }, definition))).toMatchObject({
      error: { code: 'invalid', message: expect.stringContaining('code of its own') },
    });
  });
});
