import fc from 'fast-check';
import {
  cancelBackfill,
  createBackfill,
  evolveDag,
  initialDag,
  nextDagWake,
  pauseBackfill,
  reopenRun,
  setPaused,
  tick,
  type DagEvent,
} from '@rondo/domain';
import { dagDefinition, DagHarness, NOON } from '@rondo/testing';
import { effort, seed } from './effort.ts';
import { NaiveBackfills } from './naive-backfill.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
const definition = dagDefinition({ tasks: [{ id: 'a' }] });
const timetable = { kind: 'cron_interval', expression: '0 0 * * *', timezone: 'UTC' } as const;
const REPROCESS = ['none', 'failed', 'completed'] as const;

const lives = fc.record({
  catchup: fc.boolean(),
  maxActiveRuns: fc.integer({ min: 1, max: 3 }),
  start: fc.integer({ min: -40, max: 5 }),
  dice: fc.array(fc.nat(10_000_000), { minLength: 10, maxLength: 90 }),
});

/** A DAG, and the model that sees every event as it is written. */
class World {
  readonly dag: DagHarness;
  readonly model: NaiveBackfills;
  private seen = 1;

  constructor(maxActiveRuns: number, catchup: boolean, start: number) {
    this.dag = DagHarness.published({ timetable, catchup, maxActiveRuns, startDate: NOON + start * DAY });
    this.model = new NaiveBackfills(maxActiveRuns);
  }

  watch(): void {
    const { history } = this.dag;
    for (; this.seen < history.length; this.seen++)
      this.model.see(JSON.parse(JSON.stringify(history[this.seen])) as never);
  }

  act(die: number): void {
    const { dag } = this;
    const pick = Math.floor(die / 14);
    const [active, closed] = [dag.active, [...dag.state.closed.keys()]];
    const current = dag.state.backfills.current?.spec.backfillId ?? 1 + (pick % 3);
    const action = die % 14;
    if (action <= 4 && active.length > 0)
      dag.close(active[pick % active.length]!, pick % 3 === 0 ? 'failed' : 'success');
    else if (action <= 6) this.create(pick);
    else if (action === 7) dag.trigger({ suffix: `${pick}`, logicalDate: Math.floor(NOON / DAY - (pick % 30)) * DAY });
    else if (action === 8) dag.trigger({ suffix: `${pick}` });
    else if (action === 9) dag.decide((d) => pauseBackfill(d, current, pick % 2 === 0));
    else if (action === 10 && pick % 3 === 0) dag.decide((d) => cancelBackfill(d, current));
    else if (action === 11) dag.decide((d) => setPaused(d, pick % 3 === 0));
    else if (action === 12 && closed.length > 0) dag.decide((d) => reopenRun(d, closed[pick % closed.length]!));
    else dag.now += (pick % 30) * HOUR;
  }

  private create(pick: number): void {
    const from = NOON - (pick % 60) * DAY - (pick % 7) * HOUR;
    this.dag.decide((d) =>
      createBackfill(
        d,
        {
          ...{ from, to: from + (pick % 41) * DAY, maxActiveRuns: 1 + (pick % 4) },
          ...{ reprocess: REPROCESS[pick % 3]!, reverse: pick % 5 === 0 },
        },
        definition,
      ),
    );
  }

  /** Ticks until there is nothing left to decide. Runs that would be cleared come into memory a few at a time. */
  settle(): void {
    for (let ticks = 0; ; ticks++) {
      let room = 3;
      this.dag.decide((d) => tick(d, () => (room-- > 0 ? 'now' : 'later')));
      if (nextDagWake(this.dag.state, this.dag.now) !== this.dag.now) break;
      expect(ticks).toBeLessThan(1_000);
    }
    this.watch();
    this.model.checkQuiet();
  }

  /** The same state from the history, also from one that was cut in the middle of the last decision. */
  checkMemory(cut: number): void {
    const replayed = initialDag('dag');
    const written = JSON.parse(JSON.stringify(this.dag.history)) as DagEvent[];
    for (const event of written) evolveDag(replayed, event);
    expect(replayed).toEqual(this.dag.state);
    const shorter = new DagHarness();
    shorter.now = this.dag.now;
    for (const event of written.slice(0, Math.max(1, written.length - cut))) shorter.decide((d) => d.emit(event));
    const model = new NaiveBackfills(this.dag.state.scheduling!.maxActiveRuns);
    for (let i = 0; i < 1_000 && (i === 0 || nextDagWake(shorter.state, shorter.now) === shorter.now); i++)
      shorter.tick();
    for (const event of shorter.history.slice(1)) model.see(event as never);
    model.checkQuiet();
  }

  /** Everything that is open comes to its end, and every date has been taken once. */
  finish(): void {
    const { dag } = this;
    dag.decide((d) => setPaused(d, false));
    const { current } = dag.state.backfills;
    if (current !== undefined) dag.decide((d) => pauseBackfill(d, current.spec.backfillId, false));
    for (let rounds = 0; dag.active.length > 0 || rounds === 0; rounds++) {
      for (const runId of dag.active) dag.close(runId);
      this.settle();
      expect(rounds).toBeLessThan(2_000);
    }
    expect(this.model.open).toBeUndefined();
    for (const { over, taken, dates } of this.model.backfills.values())
      if (over === 'completed') expect(taken).toBe(dates.length);
  }
}

describe(`properties of backfills (RONDO_SEED=${seed})`, () => {
  it('each date once, in order, within limits, through pauses, cancellations, clears, restarts and other runs', () => {
    const property = fc.property(lives, ({ catchup, maxActiveRuns, start, dice }) => {
      const world = new World(maxActiveRuns, catchup, start);
      world.settle();
      for (const die of dice) {
        world.act(die);
        world.settle();
      }
      world.checkMemory(1 + (dice[0]! % 7));
      world.finish();
    });
    fc.assert(property, { numRuns: 150 * effort, seed, interruptAfterTimeLimit: 20_000 });
  });
});
