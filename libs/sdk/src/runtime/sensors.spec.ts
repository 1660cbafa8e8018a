import type { AttemptInput, AttemptServices, LogLevel } from './index.ts';
import type { WaitAnswer, WatchAssignment, WatchWait } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import {
  Dag,
  Operator,
  PokeReturn,
  Sensor,
  sensor,
  task,
  TaskEnd,
  Trigger,
  type SensorAttributes,
} from '../authoring/index.ts';
import {
  collectDags,
  executeAttempt,
  FailNow,
  PokeTimes,
  Reschedule,
  serialiseDag,
  Skip,
  Watch,
  type TaskContext,
} from './index.ts';

const services: AttemptServices = {
  variable: async () => undefined,
  connection: async () => undefined,
  xcom: async () => undefined,
  xcomList: async () => ({ values: [], total: 0 }),
  putBlob: async () => 'hash',
  getBlob: async () => undefined,
};

function world(
  dag: Dag,
  { signal = new AbortController().signal, mask }: { signal?: AbortSignal; mask?: (text: string) => string } = {},
) {
  const { dags, errors } = collectDags({ default: dag }, 'dag.ts');
  expect(errors).toEqual([]);
  const log: string[] = [];
  const host = {
    dag: dags[0]!,
    services,
    signal,
    log: (level: LogLevel, text: string) => void log.push(`${level}: ${text}`),
    env: {},
    root: '/',
    ...(mask === undefined ? {} : { mask }),
  };
  return { host, log };
}

const input = (more: Partial<AttemptInput> = {}): AttemptInput => ({
  id: 'a',
  attempt: { dagId: 'd', runId: 'r', taskId: 't', mapIndex: [], tryNumber: 1, leg: 1 },
  bundle: { hash: 'h', file: 'dag.ts' },
  run: {
    runType: 'manual',
    logicalDate: 0,
    dataInterval: null,
    runAfter: 0,
    startedAt: 0,
    conf: {},
    triggeredBy: 'user',
  },
  maxTries: 1,
  inputs: {},
  position: 0,
  traceparent: '',
  ...more,
});
const attempt = async (dag: Dag, more: Partial<AttemptInput> = {}, around = {}) => {
  const { host, log } = world(dag, around);
  return { ...(await executeAttempt({ ...host, input: input(more) })), log };
};
const watching = (dag: Dag, wait: WatchWait, more: Partial<WatchAssignment> = {}, around = {}) => {
  const { host, log } = world(dag, around);
  return { watch: new Watch(host, { id: 'a', assignment: input(), wait, since: 1_000, ...more }), log };
};
const POLL = { kind: 'poll', everyMs: 60_000 } as const;
const sensing = (look: (ctx: TaskContext) => unknown, attributes: SensorAttributes = {}): Dag =>
  new Dag({ id: 'd' }, () => void sensor('t', look as () => boolean, attributes));
const poll = (
  look: (ctx: TaskContext) => unknown,
  attributes: SensorAttributes = {},
  around = {},
): Promise<WaitAnswer | undefined> => watching(sensing(look, attributes), POLL, {}, around).watch.look();
const throws = (error: unknown) => () => {
  throw error;
};

describe('the first poke of a sensor', () => {
  it('that finds something ends the task at once', async () => {
    expect((await attempt(sensing(() => true))).outcome).toEqual({ kind: 'success' });
    expect((await attempt(sensing(() => new PokeReturn({ rows: 3 })))).outcome).toEqual({
      kind: 'success',
      xcoms: { return_value: { value: { rows: 3 } } },
    });
  });

  it('that finds nothing makes it wait for polls, with the attributes and their defaults', async () => {
    expect((await attempt(sensing(() => false))).outcome).toEqual({
      kind: 'defer',
      wait: { kind: 'poll', everyMs: 60_000 },
      timeoutMs: 604_800_000,
      onTimeout: 'fail',
    });
    const attributes = {
      pokeInterval: '5s',
      timeout: '1h',
      softFail: true,
      exponentialBackoff: true,
      maxWait: '1m',
    } as const;
    for (const mode of ['poke', 'reschedule'] as const)
      expect((await attempt(sensing(() => new PokeReturn(1, false), { ...attributes, mode }))).outcome).toEqual({
        kind: 'defer',
        wait: { kind: 'poll', everyMs: 5_000, backoff: true, maxEveryMs: 60_000 },
        timeoutMs: 3_600_000,
        onTimeout: 'skip',
      });
  });

  it('that answers something else fails, whatever is forgiven', async () => {
    const { outcome } = await attempt(sensing(() => 3, { silentFail: true }));
    expect(outcome).toMatchObject({
      kind: 'failed',
      error: { message: 'the poke answered 3; allowed: true, false or new PokeReturn(value)' },
    });
  });
});

describe('a poke that throws', () => {
  const cases: readonly (readonly [string, unknown, SensorAttributes, object | undefined])[] = [
    ['fails the try', new Error('no'), {}, { kind: 'failed', retryable: true, error: { message: 'no' } }],
    ['FailNow fails for good', new FailNow('never'), {}, { kind: 'failed', retryable: false }],
    ['Skip skips', new Skip('enough'), {}, { kind: 'skipped', reason: 'enough' }],
    ['softFail does not forgive an error', new Error('no'), { softFail: true }, { kind: 'failed', retryable: true }],
    ['softFail skips for FailNow', new FailNow('never'), { softFail: true }, { kind: 'skipped' }],
    ['neverFail skips for an error', new Error('no'), { neverFail: true }, { kind: 'skipped' }],
    ['neverFail skips for FailNow', new FailNow('never'), { neverFail: true }, { kind: 'skipped' }],
    ['silentFail goes on', new Error('no'), { silentFail: true }, undefined],
    ['silentFail fails for FailNow', new FailNow('never'), { silentFail: true }, { kind: 'failed', retryable: false }],
    ['silentFail goes on before neverFail skips', new Error('no'), { silentFail: true, neverFail: true }, undefined],
  ];
  it.each(cases)('%s', async (_name, error, attributes, expected) => {
    const found = await poll(throws(error), attributes);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected);
    const { outcome } = await attempt(sensing(throws(error), attributes));
    expect(outcome).toMatchObject(expected ?? { kind: 'defer' });
  });

  it('because it took too long is a time limit, which softFail forgives and silentFail does not', async () => {
    const signal = AbortSignal.abort(new DOMException('the poke took longer than 60 s', 'TimeoutError'));
    const look = throws(new Error('http://x could not be reached: aborted'));
    expect(await poll(look, { softFail: true }, { signal })).toMatchObject({ kind: 'skipped' });
    expect(await poll(look, { neverFail: true }, { signal })).toMatchObject({ kind: 'skipped' });
    expect(await poll(look, { silentFail: true }, { signal })).toMatchObject({ kind: 'failed', retryable: true });
  });
});

describe('the attributes of a sensor', () => {
  const refusal = (attributes: object): string => {
    try {
      new Dag({ id: 'd' }, () => void sensor('t', () => true, attributes)()).complete();
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('are refused with place, value and what is allowed', () => {
    expect(refusal({ mode: 'push' })).toContain("task 't': mode is 'push'; allowed: one of poke, reschedule");
    expect(refusal({ pokeInterval: '0s' })).toContain('pokeInterval');
    expect(refusal({ timeout: 'soon' })).toContain("timeout: 'soon' is not a duration");
    expect(refusal({ softFail: true, neverFail: true })).toContain(
      'softFail and neverFail are both true; allowed: one of them',
    );
  });

  it('come from defaultArgs of DAG and group too, and bind sensors only', async () => {
    const dag = new Dag({ id: 'd', defaultArgs: { pokeInterval: '7s', timeout: '1h' } }, () => {
      sensor('t', () => false, { timeout: '2h' });
      task('other', () => 1);
    });
    expect((await attempt(dag)).outcome).toMatchObject({ wait: { everyMs: 7_000 }, timeoutMs: 7_200_000 });
  });

  it('are shown with the arguments', () => {
    const dag = sensing(() => true, { pokeInterval: '5s', softFail: true });
    const { host } = world(dag);
    expect(serialiseDag(host.dag).tasks[0]).toMatchObject({
      operator: 'FunctionSensor',
      args: { fn: '<function>', pokeIntervalMs: 5_000, timeoutMs: 604_800_000, mode: 'poke', softFail: true },
    });
  });

  it('stand beside the arguments of a class, which are checked apart', async () => {
    class Rows extends Sensor<{ table: string }, number> {
      static override readonly templateFields = ['table'];
      poke(_ctx: TaskContext, { table }: { table: string }) {
        return table === 'r' && new PokeReturn(5);
      }
    }
    const dag = new Dag({ id: 'd' }, () => void new Rows({ id: 't', table: '{{ run_id }}', pokeInterval: '1s' }));
    expect((await attempt(dag)).outcome).toEqual({ kind: 'success', xcoms: { return_value: { value: 5 } } });
    expect(await watching(dag, POLL).watch.look()).toEqual({ kind: 'met', payload: { value: 5 } });
  });
});

describe('polls', () => {
  it('answer once something is found', async () => {
    let pokes = 0;
    const { watch } = watching(
      sensing(() => {
        return ++pokes === 3;
      }),
      POLL,
    );
    expect([await watch.look(), await watch.look(), await watch.look()]).toEqual([
      undefined,
      undefined,
      { kind: 'met' },
    ]);
  });

  it('cannot defer, and are none of a task that is no sensor', async () => {
    expect(await poll((ctx) => ctx.defer({ wait: { kind: 'time', until: 0 } }))).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringContaining('only the body of a task can') as string },
    });
    const dag = new Dag({ id: 'd' }, () => void task('t', () => 1));
    expect(await watching(dag, POLL).watch.look()).toMatchObject({
      kind: 'failed',
      error: { message: 'FunctionOperator is no sensor' },
    });
  });

  it('are limited by executionTimeout: as a whole in mode poke, each in mode reschedule', () => {
    const given = { assignment: input({ executionTimeoutMs: 5_000 }) };
    const inPoke = watching(
      sensing(() => false),
      POLL,
      given,
    ).watch;
    expect([inPoke.expiresAt, inPoke.pokeLimitMs]).toEqual([6_000, undefined]);
    expect(inPoke.expired('the sensor', 5_000)).toEqual({
      kind: 'failed',
      retryable: true,
      error: { kind: 'timeout', message: 'the sensor took longer than 5.0s' },
    });
    const soft = watching(
      sensing(() => false, { mode: 'reschedule', softFail: true }),
      POLL,
      given,
    ).watch;
    expect([soft.expiresAt, soft.pokeLimitMs, soft.expired('a poke', 5_000).kind]).toEqual([
      undefined,
      5_000,
      'skipped',
    ]);
  });
});

describe('the times of polls', () => {
  const times = (wait: object, spread: number, now: number, deadline?: number): PokeTimes =>
    new PokeTimes(
      {
        id: 'a',
        assignment: input(),
        since: 0,
        wait: { ...POLL, ...wait },
        ...(deadline === undefined ? {} : { deadline }),
      },
      { ...POLL, ...wait },
      spread,
      now,
    );

  it('are spread over the interval at first, then constant, whatever a poke took', () => {
    expect(times({}, 0, 0).next(0)).toBe(6_000);
    expect(times({}, 1, 0).next(0)).toBe(60_000);
    const half = times({}, 0.5, 0);
    expect([half.next(0), half.next(33_000), half.next(34_000), half.next(200_000)]).toEqual([
      33_000, 93_000, 93_000, 213_000,
    ]);
  });

  it('do not change when the process is started again', () => {
    for (const now of [0, 32_999, 33_000, 1_000_000])
      expect(times({}, 0.5, now).next(now)).toBe(times({}, 0.5, 0).next(now));
  });

  it('grow with backoff up to maxWait and to the time that is left, and go on where they were', () => {
    const growing = times({ backoff: true }, 0, 0, 10_000_000);
    const gaps: number[] = [];
    let now = 0;
    for (let i = 0; i < 5; i++) {
      const next = growing.next(now);
      gaps.push(next - now);
      now = next;
    }
    expect(gaps[0]).toBeGreaterThanOrEqual(30_000);
    for (let i = 1; i < gaps.length; i++) expect(gaps[i]).toBeGreaterThan(gaps[i - 1]! * 0.9);
    expect(times({ backoff: true }, 0, now, 10_000_000).next(now)).toBe(growing.next(now));
    expect(times({ backoff: true, maxEveryMs: 5_000 }, 0, 0).next(0)).toBe(5_000);
    expect(times({ backoff: true }, 0, 0, 10_000).next(4_000)).toBe(10_000);
  });
});

class Job extends Trigger<{ job: string }, Json> {
  async run(ctx: TaskContext): Promise<Json | TaskEnd<Json>> {
    if (this.args.job === 'lost') throw new Error('the job is lost');
    if (this.args.job === 'ends') return new TaskEnd('ended');
    ctx.xcom.push('seen', true);
    return { job: this.args.job };
  }
}
class Wait extends Operator<{ job: string; timeout?: string; resume?: string }, unknown> {
  static override readonly triggers = [Job];
  execute(
    ctx: TaskContext,
    { job, timeout = '1h', resume = 'done' }: { job: string; timeout?: string; resume?: string },
  ): never {
    ctx.xcom.push('asked', job);
    return ctx.defer({ trigger: new Job({ job }), timeout, resume });
  }
  done(_ctx: TaskContext, { job }: { job: string }, payload: unknown): unknown {
    return [job, payload];
  }
}
const waiting = (args: object): Dag =>
  new Dag({ id: 'd' }, () => void new Wait({ id: 't', job: 'j', ...args } as never));

describe('deferral', () => {
  it('stores what was pushed, and says what is waited for', async () => {
    expect((await attempt(waiting({}))).outcome).toEqual({
      kind: 'defer',
      wait: { kind: 'trigger', trigger: 'Job', args: { job: 'j' } },
      resume: 'done',
      timeoutMs: 3_600_000,
      onTimeout: 'retry',
      xcoms: { asked: { value: 'j' } },
    });
    const dag = new Dag(
      { id: 'd' },
      () => void task('t', (ctx) => ctx.defer({ wait: { kind: 'time', until: 9 }, onFailed: 'skip' })),
    );
    expect((await attempt(dag)).outcome).toEqual({
      kind: 'defer',
      wait: { kind: 'time', until: 9 },
      onTimeout: 'retry',
      onFailed: 'skip',
    });
  });

  it('goes on in the method that was named', async () => {
    const { outcome } = await attempt(waiting({}), { resume: { method: 'done', payload: { value: { rows: 1 } } } });
    expect(outcome).toMatchObject({ kind: 'success', xcoms: { return_value: { value: ['j', { rows: 1 }] } } });
    expect((await attempt(waiting({}), { resume: { method: 'gone' } })).outcome).toMatchObject({
      kind: 'failed',
      error: { message: "Wait has no method 'gone' to go on with; allowed: a method (ctx, args, payload)" },
    });
  });

  it('refuses what cannot be waited for', async () => {
    const message = async (dag: Dag, around = {}): Promise<string> => {
      const { outcome } = await attempt(dag, {}, around);
      return outcome.kind === 'failed' ? outcome.error.message : outcome.kind;
    };
    const body = (defer: (ctx: TaskContext) => unknown): Dag => new Dag({ id: 'd' }, () => void task('t', defer));
    expect(await message(waiting({ resume: 'nowhere' }))).toContain(
      "resume is 'nowhere'; allowed: the name of a method (ctx, args, payload) of Wait",
    );
    expect(await message(waiting({ timeout: 'soon' }))).toContain("timeout: 'soon' is not a duration");
    expect(await message(waiting({ job: 'x'.repeat(40_000) }))).toContain('bytes; allowed: 32768');
    expect(await message(waiting({ job: 'pw' }), { mask: (text: string) => text.replace('pw', '***') })).toContain(
      'hold a secret',
    );
    expect(await message(body((ctx) => ctx.defer({})))).toBe('defer() is given nothing; allowed: trigger or wait');
    expect(await message(body((ctx) => ctx.defer({ trigger: new Job({ job: 'j' }) })))).toContain(
      'the trigger is a Job; allowed: none',
    );
  });

  it('refuses a wait that is none, too large, or holds a secret', async () => {
    const message = async (wait: object, around = {}): Promise<string> => {
      const dag = new Dag({ id: 'd' }, () => void task('t', (ctx) => ctx.defer({ wait: wait as never })));
      const { outcome } = await attempt(dag, {}, around);
      return outcome.kind === 'failed' ? outcome.error.message : outcome.kind;
    };
    const event = { kind: 'event', eventType: 'e', lookBackFrom: 0 };
    const ask = { kind: 'approval', subject: 's', options: ['x'], multiple: false };
    expect(await message(event)).toBe('defer');
    expect(await message({ ...ask, params: { n: { default: 1, schema: {} } } })).toBe('defer');
    expect(await message({ kind: 'moon' })).toContain("the wait's kind is 'moon'; allowed: time, event, run");
    expect(await message({ kind: 'time', until: 'noon' })).toBe("wait: until is 'noon'; allowed: epoch milliseconds");
    expect(await message({ ...event, count: 0 })).toContain('count is 0; allowed: a whole number from 1 to 1000');
    expect(await message({ ...event, filter: { sql: 'x' } })).toContain('filter is "sql"; allowed: one of exact');
    expect(await message({ ...ask, options: [] })).toContain('allowed: a list of at least one text');
    expect(await message({ ...ask, body: 'x'.repeat(40_000) })).toContain('bytes; allowed: 32768');
    const mask = (text: string): string => text.replace('pw', '***');
    expect(await message({ ...ask, body: 'the pw' }, { mask })).toContain('the wait holds a secret');
  });

  it('runs a trigger to its end, and lets it end the task', async () => {
    const look = (job: string, trigger = 'Job') =>
      watching(waiting({}), { kind: 'trigger', trigger, args: { job } }).watch.look();
    expect(await look('j')).toEqual({
      kind: 'met',
      payload: { value: { job: 'j' } },
      xcoms: { seen: { value: true } },
    });
    expect(await look('ends')).toEqual({ kind: 'met', payload: { value: 'ended' }, ends: true });
    expect(await look('lost')).toMatchObject({
      kind: 'failed',
      retryable: true,
      error: { message: 'the job is lost' },
    });
    expect(await look('j', 'Other')).toMatchObject({
      kind: 'failed',
      error: { message: "Wait has no trigger 'Other'" },
    });
  });

  it('may be a time at which the body begins anew', async () => {
    const dag = new Dag({ id: 'd' }, () => void task('t', throws(new Reschedule(new Date(5)))));
    expect((await attempt(dag)).outcome).toEqual({ kind: 'reschedule', until: 5 });
    expect(() => new Reschedule(new Date(Number.NaN))).toThrow('allowed: a valid Date');
  });
});
