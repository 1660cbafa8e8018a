import type { TaskError } from '../task-instance/index.ts';
import { overridesOf, times, withArgs } from './overrides.ts';
import { fits, judgeError, type RetryRule } from './rules.ts';

const thrown = (change: Partial<TaskError> = {}): TaskError => ({ kind: 'exception', message: 'boom', ...change });
const none = new Map<number, number>();

describe('a rule fits an error', () => {
  it.each<[string, Parameters<typeof fits>[0], Partial<TaskError>, boolean]>([
    ['its class', { error: ['RateLimited'] }, { type: 'RateLimited' }, true],
    ['a class that it inherits from or a cause', { error: ['HttpError'] }, { type: 'X', types: ['HttpError'] }, true],
    ['no class', { error: ['HttpError'] }, { type: 'X' }, false],
    ['a text of the message', { message: ['quota'] }, { message: 'over quota now' }, true],
    ['parts of the message in order', { message: ['code * of *'] }, { message: 'code 7 of 9' }, true],
    ['parts in another order', { message: ['of*code'] }, { message: 'code 7 of 9' }, false],
    ['one of several texts', { message: ['a', 'boom'] }, {}, true],
    ['its kind', { kind: ['timeout', 'lost'] }, { kind: 'lost' }, true],
    ['another kind', { kind: ['timeout'] }, {}, false],
    ['an exit code', { exitCode: [3] }, { exitCode: 3 }, true],
    ['no exit code', { exitCode: [3] }, {}, false],
    ['a signal', { signal: ['SIGTERM'] }, { signal: 'SIGTERM' }, true],
    ['want of memory: the heap', { kind: ['outOfMemory'] }, { kind: 'exit', message: 'ran out of memory' }, true],
    ['want of memory: killed', { kind: ['outOfMemory'] }, { kind: 'exit', signal: 'SIGKILL' }, true],
    ['want of memory: a process of the task', { kind: ['outOfMemory'] }, { exitCode: 137 }, true],
    ['no want of memory', { kind: ['outOfMemory'] }, { kind: 'exit', exitCode: 1 }, false],
    ['all parts but one', { error: ['E'], kind: ['timeout'] }, { type: 'E' }, false],
    ['anything', {}, {}, true],
  ])('by %s', (_, match, error, expected) => {
    expect(fits(match, thrown(error))).toBe(expected);
  });

  it('in time that grows with the message alone', () => {
    const message = 'a'.repeat(100_000);
    expect(fits({ message: [`${'a*'.repeat(1_000)}b`] }, thrown({ message }))).toBe(false);
  });
});

describe('the first rule that fits decides', () => {
  const rules: RetryRule[] = [
    { kind: ['timeout'], action: 'fail' },
    { name: 'memory', kind: ['outOfMemory'], action: 'retry', delaysMs: [0, 5], limit: 3 },
    { inChild: true, action: 'default' },
    { kind: ['exception'], action: 'default' },
  ];
  const memory = thrown({ exitCode: 137 });

  it('or none does', () => {
    expect(judgeError(rules, thrown({ kind: 'load' }), none)).toBeUndefined();
    expect(judgeError(rules, thrown(), none)).toMatchObject({ rule: { index: 3 }, action: 'default' });
    expect(judgeError(rules, thrown({ kind: 'timeout' }), none)).toMatchObject({ rule: { index: 0 }, action: 'fail' });
  });

  it('with a delay for each try that it grants, until it has granted as many as it may', () => {
    const after = (uses: number) => judgeError(rules, memory, new Map([[1, uses]]));
    expect(judgeError(rules, memory, none)).toMatchObject({ rule: { index: 1, name: 'memory' }, delayMs: 0 });
    expect([after(1), after(2)]).toMatchObject([
      { action: 'retry', delayMs: 5 },
      { action: 'retry', delayMs: 5 },
    ]);
    expect(after(3)).toMatchObject({ action: 'fail' });
  });

  it('by what the child says of its own rules, in their place in the order', () => {
    const answer = { rule: 2, action: 'retry', delayMs: 7, with: { pool: 'p' } } as const;
    expect(judgeError(rules, thrown(), none, answer)).toMatchObject({
      rule: { index: 2 },
      action: 'retry',
      delayMs: 7,
      with: { pool: 'p' },
    });
    expect(judgeError(rules, memory, none, answer)).toMatchObject({ rule: { index: 1 } });
  });
});

describe('what the next try gets', () => {
  const base = { poolSlots: 2, executionTimeoutMs: 1_000, resources: { memory: '4g', cpus: 2 }, args: { n: 1 } };

  it('grows from what the task has, then from what the last try had', () => {
    const change = { poolSlots: 'x2', executionTimeoutMs: 'x1.5', resources: { memory: 'x2' } };
    const first = overridesOf(change, 0, base);
    expect(first).toEqual({ poolSlots: 4, executionTimeoutMs: 1_500, resources: { memory: '8g' } });
    expect(overridesOf(change, 1, base, first)).toEqual({
      poolSlots: 8,
      executionTimeoutMs: 2_250,
      resources: { memory: '16g' },
    });
  });

  it('is one of a list for each try that the rule grants, the last for all further ones', () => {
    const change = { pool: ['a', 'b'], resources: { memory: ['6g', '9g'] }, env: { LEVEL: ['1', '2'] } };
    expect([0, 1, 7].map((uses) => overridesOf(change, uses, base))).toEqual([
      { pool: 'a', resources: { memory: '6g' }, env: { LEVEL: '1' } },
      { pool: 'b', resources: { memory: '9g' }, env: { LEVEL: '2' } },
      { pool: 'b', resources: { memory: '9g' }, env: { LEVEL: '2' } },
    ]);
  });

  it('keeps what an earlier rule gave', () => {
    expect(overridesOf({ queue: 'q' }, 0, base, { pool: 'p', resources: { cpus: 4 } })).toEqual({
      pool: 'p',
      queue: 'q',
      resources: { cpus: 4 },
    });
  });

  it('merges arguments, and multiplies those that the task has', () => {
    const spark = { ...base, args: { conf: { memory: '2g', tries: [1] }, jar: 'a.jar' } };
    const first = overridesOf({ args: { conf: { memory: 'x2', tries: [2, 3] } } }, 0, spark);
    expect(first).toEqual({ args: { conf: { memory: '4g', tries: [2, 3] } } });
    expect(overridesOf({ args: { conf: { memory: 'x2' } } }, 1, spark, first)).toEqual({
      args: { conf: { memory: '8g', tries: [2, 3] } },
    });
    expect(withArgs({ conf: { memory: '2g', other: 1 }, jar: 'a.jar' }, first.args)).toEqual({
      conf: { memory: '4g', other: 1, tries: [2, 3] },
      jar: 'a.jar',
    });
  });

  it('is no other where a factor has nothing to multiply', () => {
    expect(times('big', 2)).toBeUndefined();
    expect(times('1.5 GiB', 2)).toBe('3 GiB');
    expect(times(0.1, 3)).toBe(0.3);
    expect(overridesOf({ resources: { disk: 'x2' } }, 0, base)).toEqual({ resources: {} });
  });
});
