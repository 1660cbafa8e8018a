import { dagDefinition, RunHarness } from '@rondo/testing';
import { decideXCom, type XComChange } from './index.ts';

function given() {
  const run = RunHarness.started(
    dagDefinition({ tasks: [{ id: 'a' }, { id: 'b', upstream: ['a'], inputs: ['a'] }, { id: 'c', upstream: ['b'] }] }),
  );
  run.finish('a', { kind: 'success', xcoms: { return_value: { value: 1 } } });
  const change = (what: Partial<XComChange>) =>
    run.decide((d) => decideXCom(d, { taskId: 'a', mapIndex: [], key: 'return_value', ...what }));
  return { run, change };
}

describe('an XCom changed by hand', () => {
  it('is what a task that begins later takes', () => {
    const { run, change } = given();
    expect(change({ value: { value: 2 } })).toEqual({ ok: true, value: null });
    expect(run.lastTypes).toEqual(['XComSet']);
    expect(run.instance('a').output).toEqual({ value: 2 });
  });

  it('is nothing once it is deleted', () => {
    const { run, change } = given();
    change({});
    expect(run.lastTypes).toEqual(['XComDeleted']);
    expect(run.instance('a').output).toBeUndefined();
  });

  it('under another key is no input', () => {
    const { run, change } = given();
    change({ key: 'more', value: { value: 2 } });
    expect(run.instance('a').output).toEqual({ value: 1 });
  });

  it('of a task that nobody takes is not kept in memory', () => {
    const { run, change } = given();
    change({ taskId: 'c', value: { value: 2 } });
    expect(run.instance('c').output).toBeUndefined();
  });

  it('of an instance that the run does not have is refused', () => {
    const { run, change } = given();
    expect(change({ mapIndex: [3], value: { value: 2 } })).toEqual({
      ok: false,
      error: { code: 'not_found', message: "the run has no task instance 'a' [3]" },
    });
    expect(run.last).toEqual([]);
  });

  it('of a finished run changes it and does not open it again', () => {
    const { run, change } = given();
    run.work();
    change({ value: { value: 3 } });
    expect(run.lastTypes).toEqual(['XComSet']);
    expect(run.run.state).toBe('success');
    expect(run.instance('a').output).toEqual({ value: 3 });
  });

  it('that is mapped over keeps its length', () => {
    const list = { kind: 'output', taskId: 'a', path: [] } as const;
    const run = RunHarness.started(
      dagDefinition({
        tasks: [
          { id: 'a' },
          { id: 'm', upstream: ['a'], inputs: ['a'], expand: { kind: 'product', over: [{ name: 'x', length: list }] } },
        ],
      }),
    );
    const change = (value?: XComChange['value']) =>
      run.decide((d) =>
        decideXCom(d, { taskId: 'a', mapIndex: [], key: 'return_value', ...(value === undefined ? {} : { value }) }),
      );
    expect(change({ value: [1] })).toMatchObject({ ok: false, error: { code: 'conflict' } });
    run.finish('a', { kind: 'success', xcoms: { return_value: { value: [1] } }, lengths: { '[]': 1 } });
    expect(change()).toMatchObject({ ok: false, error: { code: 'conflict' } });
    expect(change({ value: 7 })).toMatchObject({ ok: false, error: { code: 'invalid' } });
    expect(change({ value: { $type: 'set', $value: [1, 2, 3] } })).toEqual({
      ok: false,
      error: {
        code: 'conflict',
        message: "what 'a' returns is mapped over and has 1 items; allowed: as many, not 3",
      },
    });
    expect(change({ value: { $type: 'set', $value: [2] } }).ok).toBe(true);
    expect(run.instance('a').output).toEqual({ value: { $type: 'set', $value: [2] } });
  });
});

describe('an XCom that a try has pushed before it failed', () => {
  it('is kept with its failure, another try or not', () => {
    const run = RunHarness.started(dagDefinition({ tasks: [{ id: 'a', retries: 1 }] }));
    const xcoms = { note: { value: 'half' } };
    const failed = {
      kind: 'failed',
      error: { kind: 'exception', message: 'boom' },
      retryable: true,
      xcoms,
    } as const;
    run.finish('a', failed);
    expect(run.dataOf('TaskRetryScheduled')).toMatchObject({ xcoms });
    run.later(300_000);
    run.finish('a', failed);
    expect(run.dataOf('TaskFailed')).toMatchObject({ xcoms });
  });
});
