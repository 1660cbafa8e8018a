import { Dag, task } from '../authoring/index.ts';
import type { RetryPolicyInput } from '../authoring/index.ts';
import { collectDags, executeAttempt, serialiseDag } from './index.ts';
import type { AttemptInput, AttemptResult, TaskContext } from './index.ts';

class Limited extends RangeError {
  override readonly name = 'Limited';
}

const dagOf = (retryPolicy: RetryPolicyInput, body: (ctx: TaskContext) => unknown, more: object = {}): Dag =>
  new Dag({ id: 'd' }, () => void task('t', body, { retries: 3, retryPolicy, ...more }));

async function run(dag: Dag, input: Partial<AttemptInput> = {}): Promise<AttemptResult & { log: string[] }> {
  expect(collectDags({ default: dag }, 'dag.ts').errors).toEqual([]);
  const log: string[] = [];
  const services = { variable: async () => undefined, connection: async () => undefined } as never;
  const result = await executeAttempt({
    dag,
    services,
    signal: new AbortController().signal,
    log: (level, text) => log.push(`${level}: ${text}`),
    env: { HOME: '/h' },
    root: '/',
    mask: (text) => text.replaceAll('secret', '***'),
    input: {
      id: 'attempt',
      attempt: { dagId: 'd', runId: 'r', taskId: 't', mapIndex: [], tryNumber: 1, leg: 1 },
      bundle: { hash: 'h', file: 'dag.ts' },
      run: {
        ...{ runType: 'manual', logicalDate: null, dataInterval: null, conf: {} },
        ...{ runAfter: 0, startedAt: 0, triggeredBy: 'user' },
      },
      ...{ maxTries: 4, inputs: {}, position: 0, traceparent: '' },
      ...input,
    },
  });
  return { ...result, log };
}

const fails = (error: unknown) => () => {
  throw error;
};
const answered = async (policy: RetryPolicyInput, error: unknown = new Error('boom')) => {
  const { outcome, log } = await run(dagOf(policy, fails(error)));
  return { policy: outcome.kind === 'failed' ? outcome.policy : undefined, log: log.slice(1) };
};

describe('what a policy is asked in the task', () => {
  it('is not what the scheduler can ask itself', async () => {
    expect(await answered({ message: 'boom' })).toEqual({ policy: undefined, log: [] });
  });

  it('is a function, with what was thrown and the context', async () => {
    const thrown = new Limited('secret');
    const asked: unknown[] = [];
    const policy = (error: unknown, ctx: { tryNumber: number; error: { type?: string } }) => {
      asked.push(error, ctx.tryNumber, ctx.error.type);
      return { delay: '5s', with: { env: { TOKEN: 'a secret' }, executionTimeout: '1m' } };
    };
    expect(await answered(policy, thrown)).toEqual({
      policy: {
        rule: 0,
        action: 'retry',
        delayMs: 5_000,
        with: { env: { TOKEN: 'a ***' }, executionTimeoutMs: 60_000 },
      },
      log: [],
    });
    expect(asked).toEqual([thrown, 1, 'Limited']);
  });

  it('is a regular expression, together with the other parts of its rule', async () => {
    const rule = { message: /bo+m/i, error: Limited } as const;
    expect((await answered(rule, new Limited('BOOOM'))).policy).toEqual({ rule: 0 });
    expect((await answered(rule, new Error('BOOOM'))).policy).toBeUndefined();
    expect((await answered({ message: [/x/, 'boom'] })).policy).toEqual({ rule: 0 });
  });

  it('ends at the first rule that fits', async () => {
    let asked = 0;
    const ask = () => ((asked += 1), 'fail' as const);
    expect((await answered([() => undefined, { message: 'boom' }, ask])).policy).toBeUndefined();
    expect((await answered([{ error: 'Limited' }, ask])).policy).toEqual({ rule: 1, action: 'fail' });
    expect(asked).toBe(1);
  });

  it.each<[string, RetryPolicyInput, string]>([
    [
      'throws',
      fails(new Error('bad policy')),
      'error: rule 1 of the retry policy threw and is passed over: Error: bad',
    ],
    [
      'answers nonsense',
      (() => 'again') as never,
      `error: rule 1 of the retry policy is passed over: action is 'again'`,
    ],
    ['answers too much', () => ({ with: { env: { A: 'x'.repeat(9_000) } } }), 'over 8192 characters of JSON'],
  ])('is passed over where it %s', async (_, policy, said) => {
    const { policy: answer, log } = await answered(policy);
    expect(answer).toBeUndefined();
    expect(log.join('\n')).toContain(said);
  });
});

describe('an attempt', () => {
  it('names the classes of its error and of its causes, and what a process came to', async () => {
    const cause = Object.assign(new TypeError('inner'), { exitCode: 3 });
    const { outcome } = await run(dagOf([], fails(Object.assign(new Limited('x', { cause }), { exitCode: 137 }))));
    expect(outcome).toMatchObject({ error: { type: 'Limited', types: ['RangeError', 'TypeError'], exitCode: 137 } });
  });

  it('sees what it is given instead of what the task has', async () => {
    const dag = dagOf([], (ctx) => [ctx.resources, ctx.env], { resources: { memory: '4g', cpus: 1 } });
    const overrides = { resources: { memory: '8g' }, env: { A: 'a' } };
    expect((await run(dag, { overrides })).outcome).toMatchObject({
      xcoms: {
        return_value: {
          value: [
            { memory: '8g', cpus: 1 },
            { HOME: '/h', A: 'a' },
          ],
        },
      },
    });
  });

  it.each([
    ['onRetry', { action: 'retry' }, []],
    ['onFailure', { action: 'fail' }, []],
    ['onRetry', { action: 'retry', limit: 2 }, [[0, 1]]],
    ['onFailure', { action: 'retry', limit: 2 }, [[0, 2]]],
  ] as const)('runs %s where %j follows after %j', async (expected, rule, ruleUses) => {
    const called: string[] = [];
    const callbacks = { onRetry: () => called.push('onRetry'), onFailure: () => called.push('onFailure') };
    await run(dagOf(rule, fails(new Error('boom')), callbacks), { ruleUses });
    expect(called).toEqual([expected]);
  });
});

const serialised = (dag: Dag) => (dag.complete(), serialiseDag(dag).tasks);

describe('a policy in a definition', () => {
  it('is data, with the class by its name and functions as what only a child can ask', () => {
    const byHeader = () => 'retry' as const;
    const [{ retryPolicy } = {}] = serialised(
      dagOf(
        [
          { error: [Limited, 'Other'], exitCode: 3, delay: ['1s', '2s'], limit: 2, with: { executionTimeout: ['1m'] } },
          { message: /a|b/ },
          byHeader,
        ],
        () => 1,
      ),
    );
    expect(retryPolicy).toEqual([
      {
        error: ['Limited', 'Other'],
        exitCode: [3],
        action: 'retry',
        delaysMs: [1_000, 2_000],
        limit: 2,
        with: { executionTimeoutMs: [60_000] },
      },
      { message: ['/a|b/'], action: 'retry', inChild: true },
      { name: 'byHeader', action: 'default', inChild: true },
    ]);
  });

  it.each<[string, unknown, object, string]>([
    ['an unknown part', { waits: '1s' }, {}, 'retryPolicy: waits is not an attribute'],
    ['a kind', [{}, { kind: 'oom' }], {}, `retryPolicy: rule 2: kind is 'oom'; allowed: one of exception, timeout`],
    ['no rule', ['x'], {}, "retryPolicy: rule 1: 'x' is no rule; allowed: an object such as"],
    ['a delay', { delay: 'soon' }, {}, `retryPolicy: delay is 'soon'; allowed: a duration such as '90s'`],
    ['growth of nothing', { with: { resources: { m: 'x2' } } }, {}, `resources.m is undefined; allowed: a number`],
    ['growth of no time', { with: { executionTimeout: 'x2' } }, {}, 'the task has no executionTimeout'],
  ])('is refused with %s', (_, policy, more, message) => {
    const refused = dagOf(policy as RetryPolicyInput, () => 1, more).complete();
    expect(refused.map((error) => error.message).join()).toContain(message);
  });
});
