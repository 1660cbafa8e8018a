import { evaluatePast, type PastQuestion, type PreviousRun } from './rule.ts';
import { RunLine, SUMMARIES_KEPT } from './line.ts';
import { summarise } from './summary.ts';
import { dagDefinition, RunHarness } from '@rondo/testing';
import type { RunType } from '../dag/events.ts';

const never = (): never => {
  throw new Error('is not asked');
};
const previous = (change: Partial<PreviousRun> = {}): PreviousRun => ({
  runId: 'p',
  logicalDate: 10,
  hasEnded: false,
  passed: () => true,
  downstreamPassed: never,
  ranBefore: never,
  ...change,
});
const ask = (change: Partial<PastQuestion> = {}) =>
  evaluatePast({
    taskId: 'a',
    dependsOnPast: true,
    waitForDownstream: false,
    ignoreFirst: true,
    isIgnored: false,
    isFirstOfBackfill: false,
    catchup: false,
    startDate: undefined,
    previous: previous(),
    ...change,
  });
const untouched = previous({ passed: never });

describe('the past of an instance', () => {
  it.each([
    ['the run ignores it', { isIgnored: true, previous: untouched }],
    ['the task does not ask for it', { dependsOnPast: false, previous: untouched }],
    ['there is no previous run', { previous: undefined }],
    ['the previous run lies before the start date', { catchup: true, startDate: 11, previous: untouched }],
    ['the task is new', { previous: previous({ passed: () => undefined, ranBefore: () => false }) }],
  ] as const)('lets it start without looking further when %s', (_, change) => {
    expect(ask(change)).toMatchObject({ met: true, allowsSkip: true, relied: false });
  });

  it('lets the first run of a backfill start, and does not let it skip', () => {
    expect(ask({ isFirstOfBackfill: true, previous: untouched })).toMatchObject({ met: true, allowsSkip: false });
  });

  it('looks at the start date with catch-up only', () => {
    expect(ask({ startDate: 11, previous: previous({ passed: () => false }) }).met).toBe(false);
  });

  it('waits for the previous instance, and says whether it may still come', () => {
    expect(ask({ previous: previous({ passed: () => false }) })).toEqual({
      met: false,
      allowsSkip: false,
      isFinal: false,
      reason: "task 'a' of the previous run 'p' has not succeeded",
    });
    expect(ask({ previous: previous({ passed: () => false, hasEnded: true }) })).toMatchObject({
      met: false,
      isFinal: true,
      reason: "task 'a' of the previous run 'p' did not succeed",
    });
  });

  it('waits where the previous run lacks a task that ran before, or the first run is not exempt', () => {
    const lacks = { passed: () => undefined };
    expect(ask({ previous: previous({ ...lacks, ranBefore: () => true }) })).toMatchObject({
      met: false,
      isFinal: false,
    });
    expect(ask({ ignoreFirst: false, previous: previous(lacks) }).met).toBe(false);
  });

  it('looks below only when asked to, which asks for the past as well', () => {
    const below = previous({ downstreamPassed: () => false });
    expect(ask({ dependsOnPast: false, waitForDownstream: true, previous: below }).met).toBe(false);
    expect(ask({ waitForDownstream: true, previous: previous({ downstreamPassed: () => true }) })).toMatchObject({
      met: true,
      relied: true,
    });
  });
});

describe('the line of runs', () => {
  const lineOf = (...runs: (readonly [id: string, date: number, type?: RunType])[]): RunLine => {
    const line = new RunLine();
    for (const [runId, date, runType = 'scheduled'] of runs)
      line.add({ runId, date, runType, ignoresPast: false, summary: undefined });
    return line;
  };

  it('goes by logical date, whenever a run was asked for', () => {
    const line = lineOf(['c', 3], ['a', 1], ['b', 2]);
    expect(line.previousOf('c', false)?.runId).toBe('b');
    expect(line.previousOf('b', true)?.runId).toBe('a');
    expect(line.previousOf('a', true)).toBeUndefined();
    expect(line.previousOf('undated', true)).toBeUndefined();
  });

  it('passes over runs by hand with catch-up', () => {
    const line = lineOf(['a', 1], ['hand', 2, 'manual'], ['c', 3]);
    expect(line.previousOf('c', true)?.runId).toBe('a');
    expect(line.previousOf('c', false)?.runId).toBe('hand');
    expect(line.followersOf('a', true).map((run) => run.runId)).toEqual(['hand', 'c']);
    expect(line.followersOf('a', false).map((run) => run.runId)).toEqual(['hand']);
  });

  it('passes over runs that consist of other tasks', () => {
    const line = lineOf(['a', 1], ['part', 2, 'backfill'], ['c', 3]);
    line.consist('part', ['x']);
    expect(line.previousOf('c', false, 'x')?.runId).toBe('part');
    expect(line.previousOf('c', false, 'y')?.runId).toBe('a');
    expect(line.allPreviousOf('c', false).map((run) => run.runId)).toEqual(['part', 'a']);
    expect(line.followersOf('a', false).map((run) => run.runId)).toEqual(['part', 'c']);
    line.consist('part', undefined);
    expect(line.allPreviousOf('c', false).map((run) => run.runId)).toEqual(['part']);
  });

  it('knows a run that a backfill has taken', () => {
    const line = lineOf(['a', 1], ['hand', 2, 'manual'], ['c', 3]);
    line.join('hand', 4);
    expect(line.find('hand')).toMatchObject({ runType: 'backfill', ordinal: 4 });
    expect(line.previousOf('c', true)?.runId).toBe('hand');
  });

  it('keeps the summaries of the runs that were closed last', () => {
    const line = new RunLine();
    for (let i = 0; i <= SUMMARIES_KEPT; i++) {
      line.add({ runId: `r${i}`, date: i, runType: 'scheduled', ignoresPast: false, summary: undefined });
      line.summarise(`r${i}`, { revision: i });
    }
    expect(line.find('r0')?.summary).toBeUndefined();
    expect(line.find('r1')?.summary).toEqual({ revision: 1 });
  });
});

describe('the closing summary', () => {
  const past = { dependsOnPast: true };

  it('is made only for versions whose tasks look at it', () => {
    const run = RunHarness.started(dagDefinition({ tasks: [{ id: 'a' }] }));
    const newer = new RunHarness(dagDefinition({ tasks: [{ id: 'a' }, { id: 'n', ...past }] })).plan;
    expect(summarise(run.run, 7, run.plan)).toBeUndefined();
    expect(summarise(run.run, 7, newer)).toEqual({ revision: 7, unmet: ['a'], absent: ['n'] });
  });

  it('names what did not pass, and says nothing of the rest', () => {
    const run = RunHarness.started(
      dagDefinition({ tasks: [{ id: 'a', ...past }, { id: 'b' }, { id: 'c', upstream: ['b'], ...past }] }),
    );
    run.finish('a');
    run.finish('b', 'failNow');
    expect(summarise(run.run, 9, run.plan)).toEqual({ revision: 9, unmet: ['c', 'b'] });
  });

  it('stays bounded: what there is no room for counts as not passed when the next run may ask for it', () => {
    const tasks = Array.from({ length: 400 }, (_, i) => ({ id: `${'x'.repeat(240)}${i}`, ...past }));
    const run = RunHarness.started(dagDefinition({ tasks }));
    const summary = summarise(run.run, 1, run.plan)!;
    expect(summary.rest).toBe(true);
    expect(JSON.stringify(summary).length).toBeLessThan(70_000);
  });
});
