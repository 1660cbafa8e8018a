import fc from 'fast-check';
import {
  evolveDag,
  initialDag,
  nextDagWake,
  reopenRun,
  retire,
  setPaused,
  type DagEvent,
  type TimetableSpec,
} from '@rondo/domain';
import { DagHarness, NOON } from '@rondo/testing';
import { effort, seed } from './effort.ts';

const HOUR = 3_600_000;
const timezone = 'Europe/Berlin';
const timetables: readonly TimetableSpec[] = [
  { kind: 'none' },
  { kind: 'once' },
  { kind: 'continuous' },
  { kind: 'cron_interval', expression: '0 */6 * * *', timezone },
  { kind: 'cron_trigger', expression: '30 2 * * *', timezone },
  { kind: 'delta_trigger', deltaMs: 5 * HOUR },
  { kind: 'delta_interval', deltaMs: 7 * HOUR },
];

const lives = fc.record({
  timetable: fc.constantFrom(...timetables),
  catchup: fc.boolean(),
  maxActiveRuns: fc.integer({ min: 1, max: 4 }),
  maxConsecutiveFailedDagRuns: fc.constantFrom(0, 2),
  start: fc.option(fc.integer({ min: -200, max: 20 }), { nil: undefined }),
  end: fc.option(fc.integer({ min: -100, max: 100 }), { nil: undefined }),
  dice: fc.array(fc.nat(1_000_000), { maxLength: 80 }),
});

function act(dag: DagHarness, die: number): void {
  const pick = Math.floor(die / 12);
  const action = die % 12;
  const closed = [...dag.state.closed.keys()];
  const active = dag.active;
  if (action <= 2 && active.length > 0) dag.close(active[pick % active.length]!, pick % 3 === 0 ? 'success' : 'failed');
  else if (action === 3) dag.trigger({ runId: `r${pick % 8}`, ...(pick % 2 === 0 ? { key: `k${pick % 5}` } : {}) });
  else if (action === 4) dag.trigger({ suffix: `${pick}`, logicalDate: NOON + (pick % 9) * HOUR });
  else if (action === 5) dag.trigger({ runId: `late${pick % 5}`, runAfter: dag.now + (pick % 40) * HOUR });
  else if (action === 6 && closed.length > 0) dag.decide((d) => reopenRun(d, closed[pick % closed.length]!));
  else if (action === 7) dag.decide((d) => setPaused(d, pick % 2 === 0));
  else if (action === 8 && pick % 5 === 0) dag.decide((d) => retire(d, 'gone'));
  else dag.now += (pick % 30) * HOUR;
}

/** Ticks until the DAG is content with the moment; each tick that it asks for must do something. */
function settle(dag: DagHarness): void {
  for (let ticks = 0; ; ticks++) {
    const before = dag.history.length;
    dag.tick();
    const wake = nextDagWake(dag.state, dag.now);
    expect(wake ?? dag.now).toBeGreaterThanOrEqual(dag.now);
    if (wake !== dag.now) return;
    expect(dag.history.length).toBeGreaterThan(before);
    expect(ticks).toBeLessThan(1_000);
  }
}

function checkHistory(history: readonly DagEvent[], limit: number): void {
  const stands = new Map<string, 'queued' | 'active' | 'closed'>();
  const dates = new Set<number>();
  let paused = false;
  const move = (runId: string, from: string, to: 'queued' | 'active' | 'closed'): void => {
    expect(`${runId} ${stands.get(runId)}`).toBe(`${runId} ${from}`);
    stands.set(runId, to);
  };
  for (const { type, data } of history) {
    if (type === 'DagPaused') paused = true;
    else if (type === 'DagUnpaused') paused = false;
    else if (type === 'RunRequested') {
      expect(stands.has(data.runId)).toBe(false);
      if (data.logicalDate !== null) expect(dates.has(data.logicalDate)).toBe(false);
      if (data.logicalDate !== null) dates.add(data.logicalDate);
      if (data.runType === 'scheduled') expect(paused).toBe(false);
      stands.set(data.runId, 'queued');
    } else if (type === 'RunAdmitted') {
      expect(paused).toBe(false);
      move(data.runId, 'queued', 'active');
      expect([...stands.values()].filter((stand) => stand === 'active').length).toBeLessThanOrEqual(limit);
    } else if (type === 'RunReopened') move(data.runId, 'closed', 'queued');
    else if (type === 'RunClosed') move(data.runId, 'active', 'closed');
  }
}

describe(`properties of a DAG (RONDO_SEED=${seed})`, () => {
  it('limits, ids, dates and pauses hold; no tick is in vain; the history is the memory', () => {
    const property = fc.property(lives, ({ dice, start, end, ...scheduling }) => {
      const dates = {
        ...(start === undefined ? {} : { startDate: NOON + start * HOUR }),
        ...(end === undefined ? {} : { endDate: NOON + end * HOUR }),
      };
      const dag = DagHarness.published({ ...scheduling, ...dates });
      settle(dag);
      for (const die of dice) {
        act(dag, die);
        settle(dag);
      }
      checkHistory(dag.history, scheduling.maxActiveRuns);
      const replayed = initialDag('dag');
      for (const event of JSON.parse(JSON.stringify(dag.history)) as DagEvent[]) evolveDag(replayed, event);
      expect(replayed).toEqual(dag.state);
    });
    fc.assert(property, { numRuns: 150 * effort, seed, interruptAfterTimeLimit: 20_000 });
  });
});
