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
      error: "the run has no task instance 'a' [3]",
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
});
