import { Dag, task } from '@rondo/sdk';
import { message, run, type World } from '../../test/harness.ts';
import { ApprovalOperator, HITLBranchOperator, HITLEntryOperator, HITLOperator } from '../index.ts';

type Made = new (options: never) => unknown;

const ran = (operator: Made, args: object, world: World = {}) =>
  run(() => {
    new operator({ id: 't', subject: 'Ship {{ ds }}?', ...args } as never);
    for (const id of ['a', 'b']) task(id, () => 1).from('t');
  }, world);
const refusal = (operator: Made, args: object): string => {
  try {
    return String(
      new Dag({ id: 'd' }, () => void new operator({ id: 't', subject: 's', ...args } as never)).complete().map(String),
    );
  } catch (error) {
    return (error as Error).message;
  }
};
const answered = (...chosenOptions: string[]) => ({
  resume: {
    method: 'onAnswer',
    payload: { value: { chosenOptions, params: {}, respondedBy: 'ada', respondedAt: 0, timedOut: false } },
  },
});

describe('operators that ask a person', () => {
  it('wait for the answer, with a form, a timeout and defaults', async () => {
    const { outcome } = await ran(HITLOperator, {
      options: ['x', 'y'],
      defaults: 'x',
      multiple: true,
      assignees: 'ada',
      responseTimeout: '2d',
      form: { reason: 'none' },
    });
    expect(outcome).toMatchObject({
      kind: 'defer',
      wait: {
        kind: 'approval',
        subject: 'Ship 2024-12-01?',
        options: ['x', 'y'],
        multiple: true,
        defaults: ['x'],
        assignees: ['ada'],
        params: { reason: { default: 'none' } },
      },
      timeoutMs: 172_800_000,
      onTimeout: 'retry',
    });
    expect(outcome).not.toHaveProperty('resume');
    expect((await ran(HITLEntryOperator, { form: { n: 1 } })).outcome).toMatchObject({ wait: { options: ['OK'] } });
  });

  it('refuse defaults that are no options', () => {
    expect(refusal(HITLOperator, { options: ['x'], defaults: 'z' })).toContain('defaults');
    expect(refusal(HITLOperator, { options: ['x', 'y'], defaults: ['x', 'y'] })).toContain(
      'one, unless multiple is true',
    );
    expect(refusal(HITLOperator, { options: ['x', 'x'] })).toContain('a list of different texts');
    expect(refusal(HITLOperator, { options: [] })).toContain('a list of different texts');
  });

  it('an approval goes on, and a rejection skips what comes after it or fails', async () => {
    expect((await ran(ApprovalOperator, {})).outcome).toMatchObject({
      wait: { options: ['Approve', 'Reject'], multiple: false },
      resume: 'onAnswer',
    });
    expect((await ran(ApprovalOperator, {}, answered('Approve'))).outcome).toMatchObject({
      kind: 'success',
      xcoms: { return_value: { value: { respondedBy: 'ada' } } },
    });
    expect((await ran(ApprovalOperator, {}, answered('Reject'))).outcome).toMatchObject({
      kind: 'success',
      skip: { kind: 'shortCircuit', ignoreDownstreamTriggerRules: false },
    });
    expect(message(await ran(ApprovalOperator, { failOnReject: true }, answered('Reject')))).toBe('rejected by ada');
  });

  it('a branch follows what was chosen', async () => {
    const args = { options: ['a', 'second'], optionsMapping: { second: 'b' } };
    expect((await ran(HITLBranchOperator, args, answered('second'))).outcome).toMatchObject({
      skip: { kind: 'branch', follow: ['b'] },
    });
    expect(refusal(HITLBranchOperator, { options: ['a'], optionsMapping: { z: 'b' } })).toContain(
      'an object whose keys are options',
    );
    expect(refusal(HITLBranchOperator, { options: ['nowhere'] })).toContain('nowhere');
  });
});
