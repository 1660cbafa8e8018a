import { compilePlan, evolveRun, findInstance, initialRun, type DagRunState } from '@rondo/domain';
import {
  aDefinition,
  aTask,
  randomHistory,
  RANDOM_DEFINITION,
  RANDOM_VERSION,
  record,
  type HistoryEvent,
} from '@rondo/testing';
import { assert, integer, property } from 'fast-check';
import { decodeEvent } from './decode.ts';
import { foldRunView, RunFold } from './run-view.ts';

const definition = aDefinition('d', [aTask('a', { retries: 2 }), aTask('b', { upstream: ['a'] })]);
const first = { taskId: 'a', mapIndex: [], tryNumber: 1, leg: 1 };
const error = { kind: 'exception', message: 'boom' };

function history(...events: readonly (readonly [type: string, data: object])[]): HistoryEvent[] {
  const facts = {
    runId: 'r',
    runType: 'manual',
    logicalDate: null,
    dataInterval: null,
    runAfter: 3,
    triggeredBy: 'user',
  };
  const begin: HistoryEvent[] = [
    { stream: 'dag-d', type: 'RunRequested', data: facts, at: 100 },
    { stream: 'dagRun-d:r', type: 'RunStarted', data: { ...facts, dagId: 'd', version: 'v', at: 200 }, at: 200 },
  ];
  const own = events.map(([type, data], index) => ({
    stream: 'dagRun-d:r',
    type,
    data: { at: 300 + index, ...data },
    at: 300 + index,
  }));
  return [...begin, ...own];
}

function fold(...events: readonly (readonly [type: string, data: object])[]) {
  const view = foldRunView({ dagId: 'd', runId: 'r' }, record(history(...events)), definition);
  const a = view?.tasks.find((task) => task.taskId === 'a');
  return { view: view!, a: a! };
}

const running = [
  ['TaskScheduled', first],
  ['TaskQueued', { ...first, executor: 'local', worker: 'w1' }],
  ['TaskStarted', { ...first, pid: 7 }],
] as const;

describe('the rows of a run', () => {
  it('begins every task without a status', () => {
    const { view } = fold();
    expect(view.run).toMatchObject({ state: 'running', queuedAt: 100, startedAt: 200, endedAt: null, version: 'v' });
    expect(view.tasks.map((task) => [task.taskId, task.state, task.tryNumber, task.maxTries])).toEqual([
      ['a', 'none', 0, 2],
      ['b', 'none', 0, 0],
    ]);
  });

  it('tells the rule of a retry policy, and tries of groups and of the run', () => {
    const rule = { index: 0, name: 'memory' };
    const retried = { ...first, error, retryAt: 900, rule, overrides: { resources: { memory: '8g' } } };
    const { a } = fold(...running, ['TaskRetryScheduled', retried]);
    expect(a).toMatchObject({
      state: 'up_for_retry',
      reason: 'retry policy: rule \'memory\', next try with {"resources":{"memory":"8g"}}',
    });
    const failed = [...running, ['TaskFailed', { ...first, error, rule: { index: 1 } }]] as const;
    expect(fold(...failed).a).toMatchObject({ state: 'failed', reason: 'retry policy: rule 2' });
    const again = { tryNumber: 2, retryAt: 900, instances: [{ taskId: 'a', mapIndex: [] }] };
    const group = fold(...failed, ['GroupRetried', { ...again, groupId: 'g', mapIndex: [], failed: [] }]);
    expect(group.a).toMatchObject({
      state: 'none',
      maxTries: 3,
      retryAt: 900,
      reason: "group 'g' is tried again, try 2",
    });
    expect(group.view.tries).toMatchObject([{ tryNumber: 1, state: 'failed' }]);
    const run = fold(...failed, ['RunRetried', { ...again, reason: 'task_failure' }]);
    expect(run.view.run).toMatchObject({ state: 'running', tryNumber: 2, reason: 'tried again after task_failure' });
    expect(run.a).toMatchObject({ state: 'none', retryAt: 900, reason: 'the run is tried again, try 2' });
  });

  it('follows an attempt from scheduled to its end', () => {
    const { a, view } = fold(...running, [
      'TaskSucceeded',
      { ...first, xcoms: { return_value: { value: 1 } }, rendered: { c: 'x' } },
    ]);
    expect(a).toMatchObject({
      state: 'success',
      tryNumber: 1,
      leg: 1,
      scheduledAt: 300,
      queuedAt: 301,
      startedAt: 302,
      endedAt: 303,
      worker: 'w1',
      pid: 7,
    });
    expect(view.xcoms).toEqual([
      { dagId: 'd', runId: 'r', taskId: 'a', mapIndex: '', key: 'return_value', value: 1, blob: null },
    ]);
    expect(view.rendered).toEqual([
      { dagId: 'd', runId: 'r', taskId: 'a', mapIndex: [], tryNumber: 1, fields: { c: 'x' } },
    ]);
    expect(view.tries).toEqual([]);
  });

  it('has XComs as they were set and deleted by hand', () => {
    const { view } = fold(
      ...running,
      ['TaskSucceeded', { ...first, xcoms: { return_value: { value: 1 }, more: { value: 2 } } }],
      ['XComSet', { taskId: 'a', mapIndex: [], key: 'return_value', value: { value: { $type: 'date' } } }],
      ['XComDeleted', { taskId: 'a', mapIndex: [], key: 'more' }],
      ['XComDeleted', { taskId: 'b', mapIndex: [], key: 'never there' }],
    );
    expect(view.xcoms.map(({ taskId, key, value }) => [taskId, key, value])).toEqual([
      ['a', 'return_value', { $type: 'date' }],
    ]);
  });

  it('keeps the failed try when its retry is scheduled, and starts the next without its XComs', () => {
    const failed = [
      ...running,
      ['TaskRetryScheduled', { ...first, error, retryAt: 999, xcoms: { k: { value: 1 } } }],
    ] as const;
    expect(fold(...failed).a).toMatchObject({ state: 'up_for_retry', retryAt: 999, error });
    expect(fold(...failed).view.xcoms).toHaveLength(1);
    const { a, view } = fold(...failed, ['TaskScheduled', { ...first, tryNumber: 2 }]);
    expect(a).toMatchObject({
      state: 'scheduled',
      tryNumber: 2,
      error: null,
      startedAt: null,
      endedAt: null,
      retryAt: null,
    });
    expect(view.tries).toMatchObject([{ tryNumber: 1, state: 'failed', error, startedAt: 302, endedAt: 303 }]);
    expect(view.xcoms).toEqual([]);
  });

  it('keeps XComs over the legs of a try: a deferral, a reschedule and a lost attempt', () => {
    const waitFor = { kind: 'time', until: 1 };
    for (const [type, data] of [
      ['TaskDeferred', { waitFor }],
      ['TaskRescheduled', { until: 1 }],
      ['TaskLost', { reason: 'gone' }],
    ] as const) {
      const left = { ...first, ...data, xcoms: { k: { value: 1 } } };
      const again = fold(...running, [type, left], ['TaskScheduled', { ...first, leg: 2 }]);
      expect([type, again.view.xcoms.map(({ key }) => key)]).toEqual([type, ['k']]);
    }
  });

  it('leaves a running instance that is cleared restarting until its attempt has ended', () => {
    const cleared = [...running, ['TaskCleared', { instances: [{ taskId: 'a', mapIndex: [] }] }]] as const;
    expect(fold(...cleared).a).toMatchObject({ state: 'restarting', tryNumber: 1, maxTries: 3 });
    expect(fold(...cleared).view.tries).toEqual([]);
    const { a, view } = fold(...cleared, ['TaskAttemptClosed', { ...first, reason: 'cancelled' }]);
    expect(a).toMatchObject({ state: 'none', tryNumber: 1, startedAt: null, reason: null });
    expect(view.tries).toMatchObject([{ tryNumber: 1, state: 'failed', reason: 'cancelled', endedAt: 304 }]);
  });

  it('keeps a finished try when the instance is cleared, once', () => {
    const clear = ['TaskCleared', { instances: [{ taskId: 'a', mapIndex: [] }] }] as const;
    const { a, view } = fold(...running, ['TaskSucceeded', first], clear, clear);
    expect(a).toMatchObject({ state: 'none', tryNumber: 1, maxTries: 3 });
    expect(view.tries).toMatchObject([{ tryNumber: 1, state: 'success' }]);
  });

  it('goes on with the same try after a lost attempt', () => {
    const { a, view } = fold(...running, ['TaskLost', { ...first, reason: 'worker gone' }]);
    expect(a).toMatchObject({ state: 'none', tryNumber: 1, reason: 'worker gone' });
    expect(view.tries).toEqual([]);
  });

  it('says why an instance was skipped, marked or could not run', () => {
    const b = [{ taskId: 'b', mapIndex: [] }];
    expect(fold(['TaskUpstreamFailed', { instances: b, reason: 'a failed' }]).view.tasks[1]).toMatchObject({
      state: 'upstream_failed',
      reason: 'a failed',
      endedAt: 300,
    });
    expect(fold(['TaskMarked', { instances: b, state: 'skipped' }]).view.tasks[1]).toMatchObject({
      state: 'skipped',
      reason: 'marked',
    });
  });

  it('has the states, tries and open attempts of the domain after every event', () => {
    assert(
      property(integer(), (seed) => {
        const events = record(randomHistory(seed, 150, 1, false));
        const projected = new RunFold('random', 'run:0');
        let decided: DagRunState | undefined;
        for (const event of events) {
          projected.apply(event, RANDOM_DEFINITION);
          const decoded = decodeEvent(event);
          if (decoded?.kind !== 'run') continue;
          decided ??= initialRun(compilePlan(RANDOM_VERSION, RANDOM_DEFINITION));
          evolveRun(decided, decoded.event);
          const view = projected.view()!;
          expect(view.run.state).toBe(decided.state);
          for (const row of view.tasks) {
            const { state, tryNumber, leg, maxTries, open } = findInstance(decided, row.taskId, [])!;
            expect(row).toMatchObject({ state, tryNumber, leg, maxTries, open });
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

it.each(['dagRun-d:r', 'dag-d'])('an event of %s that a later release has written is not passed over', (stream) => {
  const event = { id: 'e', stream, revision: 3, position: 9, type: 'Polished', data: '{}', meta: '{}' };
  expect(() => decodeEvent(event)).toThrow(
    `event 3 of '${stream}' is of type 'Polished', which this release does not know: start a newer release`,
  );
});
