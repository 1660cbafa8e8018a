import { aDefinition, aTask, RunHarness } from '@rondo/testing';
import type { ApprovalWait } from '../task-instance/index.ts';
import type { ApprovalAnswer } from './approval.ts';
import { decideApproval } from './waits.ts';

const WAIT: ApprovalWait = { kind: 'approval', subject: 'Ship?', options: ['Yes', 'No', 'Later'], multiple: false };

function asking(change: Partial<ApprovalWait> = {}, timeoutMs?: number): RunHarness {
  const run = RunHarness.started(aDefinition('d', [aTask('a')]));
  const timeout = timeoutMs === undefined ? {} : { timeoutMs };
  run.finish('a', { kind: 'defer', wait: { ...WAIT, ...change }, ...timeout });
  return run;
}

const respond = (run: RunHarness, change: Partial<ApprovalAnswer> = {}) =>
  run.decide((d) => decideApproval(d, { taskId: 'a', mapIndex: [], options: ['Yes'], by: 'ada', ...change }));

describe('an approval', () => {
  it('is what the task returns, and stands in the history with who gave it', () => {
    const run = asking();
    run.later(1_000);
    expect(respond(run).ok).toBe(true);
    const response = {
      chosenOptions: ['Yes'],
      params: {},
      respondedBy: 'ada',
      respondedAt: run.now,
      timedOut: false,
    };
    expect(run.lastTypes).toEqual(['ApprovalResponded', 'TaskSucceeded', 'RunSucceeded']);
    expect(run.dataOf('ApprovalResponded')).toMatchObject({ response, taskId: 'a', tryNumber: 1, leg: 1 });
    expect(run.dataOf('TaskSucceeded')).toMatchObject({ xcoms: { return_value: { value: response } } });
  });

  it('is completed when only the answer was written (ADR 0002)', () => {
    const run = asking();
    respond(run);
    const cut = run.history.findIndex((e) => e.type === 'ApprovalResponded') + 1;
    const back = new RunHarness(run.plan.definition, { now: run.now, history: run.history.slice(0, cut) });
    back.decide(() => undefined);
    expect(back.history).toEqual(run.history);
  });

  it('takes more than one option where that is allowed, each once', () => {
    const run = asking({ multiple: true });
    respond(run, { options: ['No', 'Yes', 'No'] });
    expect(run.dataOf('ApprovalResponded')).toMatchObject({ response: { chosenOptions: ['No', 'Yes'] } });
  });

  it('fills the form in with defaults', () => {
    const run = asking({ params: { note: { schema: { type: 'string' } }, rows: { schema: {}, default: 3 } } });
    respond(run, { params: { note: 'fine' } });
    expect(run.dataOf('ApprovalResponded')).toMatchObject({ response: { params: { note: 'fine', rows: 3 } } });
  });

  it.each<readonly [string, Partial<ApprovalWait>, Partial<ApprovalAnswer>, string, string]>([
    [
      'another option',
      {},
      { options: ['Maybe'] },
      'invalid',
      "there is no option 'Maybe'; options are 'Yes', 'No', 'Later'",
    ],
    ['no option', {}, { options: [] }, 'invalid', "0 options are chosen; allowed: one of 'Yes', 'No', 'Later'"],
    [
      'two options',
      {},
      { options: ['Yes', 'No'] },
      'invalid',
      "2 options are chosen; allowed: one of 'Yes', 'No', 'Later'",
    ],
    [
      'no option of many',
      { multiple: true },
      { options: [] },
      'invalid',
      "0 options are chosen; allowed: one or more of 'Yes', 'No', 'Later'",
    ],
    ['somebody else', { assignees: ['bob'] }, {}, 'forbidden', "'ada' may not answer; those who may are 'bob'"],
    ['an unknown field', {}, { params: { x: 1 } }, 'invalid', "the form has no field 'x'; it has none"],
    [
      'another field',
      { params: { y: { schema: {}, default: 1 } } },
      { params: { x: 1 } },
      'invalid',
      "the form has no field 'x'; its fields are 'y'",
    ],
    [
      'a missing field',
      { params: { y: { schema: {} } } },
      {},
      'invalid',
      "the form's field 'y' has no default and is not given",
    ],
    ['an unknown task', {}, { taskId: 'z' }, 'not_found', "there is no task instance 'z'"],
    ['an unknown index', {}, { mapIndex: [1] }, 'not_found', "there is no task instance 'a' [1]"],
  ])('is refused for %s, and the task waits on', (_what, wait, answer, code, message) => {
    const run = asking(wait);
    expect(respond(run, answer)).toEqual({ ok: false, error: { code, message } });
    expect(run.states).toEqual({ a: 'deferred' });
  });

  it('is refused when it was answered', () => {
    const run = asking();
    respond(run);
    expect(respond(run)).toEqual({
      ok: false,
      error: { code: 'conflict', message: "task instance 'a' is success and asks nobody: it was answered" },
    });
  });

  it('is given by its defaults at the timeout', () => {
    const run = asking({ defaults: ['Later'], params: { y: { schema: {}, default: 1 }, z: { schema: {} } } }, 60_000);
    run.later(60_000);
    expect(run.dataOf('ApprovalResponded')).toMatchObject({
      response: { chosenOptions: ['Later'], params: { y: 1 }, respondedBy: null, timedOut: true },
    });
    expect(run.states).toEqual({ a: 'success' });
  });

  it('fails at the timeout without defaults', () => {
    const run = asking({}, 60_000);
    run.later(60_000);
    expect(run.states).toEqual({ a: 'failed' });
    expect(run.history.map((e) => e.type)).not.toContain('ApprovalResponded');
  });
});
