import { serialiseDag } from '../runtime/index.ts';
import type { TaskContext } from '../runtime/index.ts';
import {
  chain,
  crossDownstream,
  cronInterval,
  cronTrigger,
  Dag,
  dag,
  deltaInterval,
  events,
  multiCron,
  Operator,
  param,
  task,
  TaskGroup,
  taskGroup,
  type DagOptions,
} from './index.ts';

class Echo extends Operator<{ text: string; times?: number }, string> {
  static override readonly templateFields = ['text'];
  execute(_ctx: TaskContext, { text, times = 1 }: { text: string; times?: number }): string {
    return text.repeat(times);
  }
}

const echo = (id: string, extra: object = {}): Echo => new Echo({ id, text: id, ...extra });
const edges = (of: Dag): Record<string, string[]> => {
  expect(of.complete().map(String)).toEqual([]);
  return Object.fromEntries(serialiseDag(of).tasks.map((t) => [t.taskId, [...t.upstream]]));
};
const refusal = (make: () => unknown): string => {
  try {
    const made = make();
    if (made instanceof Dag)
      return made
        .complete()
        .map((error) => error.message)
        .join('\n');
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
};

describe('arrows', () => {
  it('lead from each to each, and on', () => {
    const d = new Dag({ id: 'd' }, () => {
      const [a, b, c, e] = ['a', 'b', 'c', 'e'].map((id) => echo(id)) as [Echo, Echo, Echo, Echo];
      a.to([b, c]).to(e);
    });
    expect(edges(d)).toEqual({ a: [], b: ['a'], c: ['a'], e: ['b', 'c'] });
  });

  it('go both ways, by id too, before what they lead to exists', () => {
    const d = new Dag({ id: 'd' }, () => {
      echo('a').from('b').from('c');
      echo('b');
      echo('c');
    });
    expect(edges(d)).toEqual({ a: ['b'], b: ['c'], c: [] });
  });

  it('form chains and crosses', () => {
    const d = new Dag({ id: 'd' }, () => {
      const t = (id: string): Echo => echo(id);
      chain(t('a'), [t('b'), t('c')], [t('d'), t('e')], t('f'));
      crossDownstream([t('g'), t('h')], [t('i'), t('j')]);
    });
    expect(edges(d)).toEqual({
      a: [],
      b: ['a'],
      c: ['a'],
      d: ['b'],
      e: ['c'],
      f: ['d', 'e'],
      g: [],
      h: [],
      i: ['g', 'h'],
      j: ['g', 'h'],
    });
    expect(refusal(() => new Dag({ id: 'd' }, () => chain([echo('a')], [echo('b'), echo('c')])))).toMatch(
      /lists of 1 and 2 next to each other; allowed: lists of the same length/,
    );
  });

  it('that form a circle are refused with the path', () => {
    const message = refusal(() => new Dag({ id: 'loop' }, () => chain(echo('a'), echo('b'), echo('c'), 'a')));
    expect(message).toMatch(
      /authoring\.spec\.ts:\d+:\d+: DAG 'loop': the arrows go in a circle: a → b → c → a; allowed: /,
    );
  });

  it('to what does not exist are refused with what is near', () => {
    expect(refusal(() => new Dag({ id: 'd' }, () => echo('load').to('laod')))).toMatch(
      /'laod', which is no task or group of the DAG; did you mean load\?/,
    );
    expect(refusal(() => new Dag({ id: 'd' }, () => echo('a').to(7 as never)))).toMatch(
      /an arrow points to 7; allowed: a task, a group, their id, or a list of them/,
    );
  });
});

describe('function tasks', () => {
  it('take outputs as typed inputs and come after them', () => {
    const d = dag('d', () => {
      const extract = task('extract', async () => ({ rows: [1, 2, 3], source: 'x' }));
      const transform = task('transform', (_ctx, input: { rows: number[] }) => input.rows.length);
      const load = task(
        'load',
        (_ctx, count: number, sources: string[], note: string = 'none') => `${count} ${sources.join()} ${note}`,
      );
      const raw = extract();
      load(transform(raw), [raw.get('source'), 'literal']);
      task('inline', { n: transform(raw), at: '{{ ds }}' }, (_ctx, { n, at }) => n + at.length);
    });
    expect(edges(d)).toEqual({
      extract: [],
      transform: ['extract'],
      load: ['extract', 'transform'],
      transform__1: ['extract'],
      inline: ['transform__1'],
    });
    expect(serialiseDag(d).tasks.map((t) => t.inputs)).toEqual([
      [],
      ['extract'],
      ['transform', 'extract'],
      ['extract'],
      ['transform__1'],
    ]);
    expect(serialiseDag(d).tasks[2]!.args).toEqual({
      fn: '<function>',
      args: ['<output of transform>', ['<output of extract.source>', 'literal']],
    });
  });

  it('are checked by the compiler', () => {
    const d = new Dag({ id: 'd' });
    const text = d.task('text', () => 'x')();
    const twice = d.task('twice', (_ctx: TaskContext, n: number) => n * 2);
    // @ts-expect-error: a text is not a number
    twice(text);
    // @ts-expect-error: an input is missing
    twice();
    // @ts-expect-error: there is no such part
    text.get('nope');
    // @ts-expect-error: the input is a text
    d.task('bad', text, (_ctx, value: number) => value);
    const typed = d.task('typed', () => ({ at: new Date(0), ids: new Map([['a', 1n]]), raw: new Uint8Array() }))();
    d.task('use', typed, (_ctx, { at, ids, raw }) => [at.getTime(), ids.get('a')! + 1n, raw.length]);
    d.task('use_at', (_ctx: TaskContext, at: Date, ids: ReadonlyMap<string, bigint>) => [at, ids])(
      typed.output.get('at'),
      typed.output.get('ids'),
    );
    // @ts-expect-error: a Date is not a text
    d.task('bad_at', typed.output.get('at'), (_ctx, at: string) => at);
    // @ts-expect-error: no such attribute
    d.task('attr', () => 1, { retrys: 1 });
    // @ts-expect-error: no such rule
    d.task('rule', () => 1, { triggerRule: 'sometimes' });
    expect(
      () => new Dag({ id: 'd' }, () => new Echo({ id: 'x', text: twice(2).output.get('toFixed') as never })),
    ).toThrow(/outputs of tasks of the same DAG/);
    // @ts-expect-error: text is missing
    expect(new Echo({ id: 'y', dag: d }).given).toEqual({});
    // @ts-expect-error: a number is not a text
    expect(new Echo({ id: 'z', dag: d, text: 1 }).given).toEqual({ text: 1 });
    const parts: number = 1;
    expect(new Echo({ id: 'o', dag: d, text, times: parts }).upstream).toEqual(new Set(['text']));
  });

  it('stand for their one call in arrows, and are called when nobody does', () => {
    const d = new Dag({ id: 'd' }, () => {
      const a = task('a', () => 1);
      const b = task('b', () => 2);
      a.to(b);
      task('alone', () => 3);
      new TaskGroup({ id: 'g' }, () => void task('inside', () => 4));
    });
    expect(edges(d)).toEqual({ a: [], b: ['a'], alone: [], 'g.inside': [] });
    expect(refusal(() => new Dag({ id: 'd' }, () => void task('lost', (_ctx, n: number) => n)))).toMatch(
      /task 'lost': the task takes 1 input and is never called; allowed: lost\(…\) with an output for each/,
    );
  });

  it('can be declared outside and used in several DAGs', () => {
    const shared = task('shared', (_ctx, n: number) => n, { retries: 1 });
    const one = dag('one', () => void shared(1));
    const two = dag('two', () => void shared.with({ id: 'other', retries: 3 })(shared(2)));
    expect(edges(one)).toEqual({ shared: [] });
    expect(edges(two)).toEqual({ shared: [], other: ['shared'] });
    const three = dag('three', () => void task('t', () => 1).with({ id: 'only' })());
    expect(edges(three)).toEqual({ only: [] });
    expect(serialiseDag(two).tasks.map((t) => t.retries)).toEqual([1, 3]);
  });
});

describe('groups', () => {
  it('prefix what is inside, each level by its own choice', () => {
    const d = new Dag({ id: 'd' }, () => {
      new TaskGroup({ id: 'group234', prefixGroupId: false }, () => {
        echo('task2');
        new TaskGroup({ id: 'group34' }, () => {
          echo('task3');
          new TaskGroup({ id: 'group4', prefixGroupId: false }, () => void echo('task4'));
        });
      });
    });
    expect(Object.keys(edges(d))).toEqual(['task2', 'group34.task3', 'task4']);
    expect(serialiseDag(d).groups).toEqual([
      { groupId: 'group234' },
      { groupId: 'group34', parent: 'group234' },
      { groupId: 'group34.group4', parent: 'group34' },
    ]);
  });

  it('are entered at their roots and left at their leaves, whenever the arrows are drawn', () => {
    const d = new Dag({ id: 'd' }, () => {
      const outer = new TaskGroup({ id: 'o' }, () => {
        const inner = new TaskGroup({ id: 'i' }, () => void echo('a').to(echo('b')));
        const c = echo('c');
        inner.to(c);
      });
      echo('before').to(outer).to(echo('after'));
      new Echo({ id: 'late', group: outer, text: '' });
    });
    expect(edges(d)).toEqual({
      'o.i.a': ['before'],
      'o.i.b': ['o.i.a'],
      'o.c': ['o.i.b'],
      before: [],
      after: ['o.c', 'o.late'],
      'o.late': ['before'],
    });
  });

  it('give defaults, and suffixes where asked to', () => {
    const d = new Dag({ id: 'd', defaultArgs: { retries: 1, owner: 'dag' } }, () => {
      const make = () => taskGroup('g', { defaultArgs: { retries: 2 } }, () => echo('t', { retryDelay: '1m' }));
      make().result.to(make());
      expect(refusal(() => new TaskGroup({ id: 'g' }))).toMatch(/group id 'g' is given twice/);
    });
    expect(edges(d)).toEqual({ 'g.t': [], 'g__1.t': ['g.t'] });
    expect(serialiseDag(d).tasks[1]).toMatchObject({ retries: 2, owner: 'dag', retryDelayMs: 60_000, group: 'g__1' });
  });
});

describe('setup and teardown', () => {
  it('surround the work, and are not the leaves of a group', () => {
    const d = new Dag({ id: 'd' }, () => {
      const group = new TaskGroup({ id: 'g' }, () => {
        const create = echo('create');
        const drop = echo('drop').asTeardown({ setups: create, onFailureFailDagrun: true });
        drop.around(() => void echo('one').to(echo('two')));
      });
      group.to(echo('after'));
    });
    expect(edges(d)).toEqual({
      'g.create': [],
      'g.drop': ['g.create', 'g.two'],
      'g.one': ['g.create'],
      'g.two': ['g.one'],
      after: ['g.two'],
    });
    expect(serialiseDag(d).tasks[1]).toMatchObject({
      teardown: true,
      onFailureFailDagrun: true,
      triggerRule: 'all_done_setup_success',
    });
    expect(serialiseDag(d).tasks[0]).toMatchObject({ setup: true, triggerRule: 'all_success' });
  });

  it('need all_success right after a setup', () => {
    expect(
      refusal(
        () =>
          new Dag({ id: 'd' }, () =>
            echo('s')
              .asSetup()
              .to(echo('w', { triggerRule: 'all_done' })),
          ),
      ),
    ).toMatch(/task 'w' comes directly after the setup 's': its trigger rule is 'all_done', allowed is 'all_success'/);
    expect(refusal(() => new Dag({ id: 'd' }, () => echo('s').asSetup().asTeardown()))).toMatch(
      /the task is a setup already; allowed: setup or teardown/,
    );
  });
});

describe('attributes', () => {
  const make = (attributes: object): string => refusal(() => new Dag({ id: 'd' }, () => echo('t', attributes)));
  it.each([
    [{ retries: -1 }, 'retries is -1; allowed: a whole number of at least 0'],
    [{ retries: 1.5 }, 'retries is 1.5; allowed: a whole number of at least 0'],
    [{ retryDelay: '5 minutes' }, "retryDelay: '5 minutes' is not a duration: a duration is text like '90s'"],
    [{ triggerRule: 'all_sucess' }, "triggerRule is 'all_sucess'; allowed: one of all_success, all_failed"],
    [{ weightRule: 1 }, 'weightRule is 1; allowed: one of downstream, upstream, absolute'],
    [{ pool: '' }, "pool is ''; allowed: a text of at least one character"],
    [{ poolSlots: 0 }, 'poolSlots is 0; allowed: a whole number of at least 1'],
    [{ email: 'nobody' }, "email is 'nobody'; allowed: an address such as team@example.org, or a list of them"],
    [{ onFailure: 'me' }, "onFailure is 'me'; allowed: a function, or a list of functions"],
    [{ id: 'a b' }, "id is 'a b'; allowed: 1 to 250 letters, digits, '_', '-' and '.'"],
    [
      { schedule: '@daily', params: { n: param(0, { type: 'integer', minimum: 1 }) } },
      'params.n is 0 by default; allowed: must be >= 1',
    ],
    [
      { params: { n: new Date(0) } },
      'params.n: a Date at $ is not JSON; use .toISOString(); allowed: a JSON value or param({ … })',
    ],
  ])('%j', (attributes, message) => {
    expect(make(attributes)).toContain(message);
    expect(make(attributes)).toMatch(/^libs\/sdk\/src\/authoring\/authoring\.spec\.ts:\d+:\d+: DAG 'd'/);
  });

  it('of a task are serialised with their defaults', () => {
    const d = new Dag({ id: 'd' }, () =>
      echo('t', {
        email: 'a@b.c; d@e.f',
        retryExponentialBackoff: true,
        maxRetryDelay: { hours: 1 },
        executionTimeout: '90s',
        onLostContact: 'continue',
        waitForDownstream: true,
        onRetry: [() => 1],
      }),
    );
    expect(d.complete()).toEqual([]);
    expect(serialiseDag(d).tasks[0]).toMatchObject({
      operator: 'Echo',
      runs: 'child',
      retries: 0,
      retryDelayMs: 300_000,
      retryExponentialBackoff: 2,
      maxRetryDelayMs: 3_600_000,
      executionTimeoutMs: 90_000,
      onLostContact: 'continue',
      dependsOnPast: true,
      waitForDownstream: true,
      email: ['a@b.c', 'd@e.f'],
      pool: 'default_pool',
      callbacks: ['onRetry'],
      templateFields: ['text'],
      args: { text: 't' },
    });
  });

  it('of the past are kept with the version only where they differ from the defaults', () => {
    const given = { dependsOnPast: true, pastFailure: 'skip', ignoreFirstDependsOnPast: false } as const;
    const d = new Dag({ id: 'd' }, () => [
      echo('plain', { pastFailure: 'wait', ignoreFirstDependsOnPast: true, waitForPastDependsBeforeSkipping: false }),
      echo('past', { ...given, waitForPastDependsBeforeSkipping: true }),
    ]);
    const [plain, past] = serialiseDag(d).tasks;
    expect(plain).not.toHaveProperty('pastFailure');
    expect(plain).not.toHaveProperty('ignoreFirstDependsOnPast');
    expect(plain).not.toHaveProperty('waitForPastDependsBeforeSkipping');
    expect(past).toMatchObject({ ...given, waitForPastDependsBeforeSkipping: true });
    expect(make({ pastFailure: 'stop' })).toContain("pastFailure is 'stop'; allowed: one of wait, skip");
  });

  it('are unique by id, in a DAG', () => {
    expect(refusal(() => new Dag({ id: 'd' }, () => [echo('t'), echo('t')]))).toMatch(
      /task 't': id 't' is given twice \(the other is at line \d+\)/,
    );
    expect(refusal(() => echo('t'))).toMatch(/task 't' is in no DAG; allowed: inside of new Dag/);
    expect(refusal(() => new Dag({ id: 'd' }, async () => echo('t')))).toMatch(/DAG 'd': the definition is async/);
  });
});

describe('a DAG', () => {
  const bad = (options: object): string => refusal(() => new Dag({ id: 'd', ...options } as DagOptions));
  it.each([
    [{ id: 'a:b' }, "id is 'a:b'; allowed: 1 to 250 letters"],
    [{ schedule: 'every day' }, 'schedule: '],
    [{ schedule: '@dayly' }, "'@dayly' is not a preset"],
    [{ timezone: 'Mars/Olympus' }, "timezone is 'Mars/Olympus'; allowed: an IANA name such as 'Europe/Berlin'"],
    [{ startDate: 'yesterday' }, "startDate is 'yesterday'; allowed: ISO text such as '2024-01-01'"],
    [{ startDate: new Date('nope') }, 'startDate is an invalid Date'],
    [
      { startDate: '2024-01-02', endDate: '2024-01-01' },
      "endDate is '2024-01-01'; allowed: a date that is not before startDate",
    ],
    [{ maxActiveRuns: 0 }, 'maxActiveRuns is 0; allowed: a whole number of at least 1'],
    [{ tags: 'x' }, "tags is 'x'; allowed: a list of texts"],
    [{ defaultArgs: { retrys: 1 } }, 'defaultArgs.retrys is not an attribute; did you mean retries?'],
    [{ defaultArgs: { retries: 'x' } }, "defaultArgs.retries is 'x'; allowed: a whole number of at least 0"],
    [{ catchUp: true }, 'catchUp is not an attribute; did you mean catchup?'],
    [{ params: { n: param({ type: 'nope' as never }) } }, 'params.n has a schema that is none'],
    [
      { schedule: '@daily', params: { n: param({ type: 'integer' }) } },
      'params.n has no default and the DAG has a schedule',
    ],
  ])('refuses %j', (options, message) => {
    expect(bad(options)).toContain(message);
  });

  it('reads dates on the clocks of its zone', () => {
    const start = (options: object): number | undefined => new Dag({ id: 'd', ...options }).startDate;
    expect(start({ startDate: '2024-07-01', timezone: 'Europe/Berlin' })).toBe(Date.UTC(2024, 5, 30, 22));
    expect(start({ startDate: '2024-07-01T06:00:00+02:00', timezone: 'Asia/Tokyo' })).toBe(Date.UTC(2024, 6, 1, 4));
    expect(start({ startDate: '2024-07-01T06:00' })).toBe(Date.UTC(2024, 6, 1, 6));
    expect(start({ startDate: new Date('2024-01-01') })).toBe(Date.UTC(2024, 0, 1));
    expect(start({ startDate: Temporal.PlainDate.from('2024-01-01') })).toBe(Date.UTC(2024, 0, 1));
    const zoned = new Dag({ id: 'd', startDate: Temporal.ZonedDateTime.from('2024-01-01T00:00[Asia/Tokyo]') });
    expect([zoned.startDate, zoned.timezone]).toEqual([Date.UTC(2023, 11, 31, 15), 'Asia/Tokyo']);
  });

  it('takes schedules of every kind', () => {
    const timetable = (schedule: DagOptions['schedule']): unknown =>
      new Dag({ id: 'd', schedule: schedule ?? null, timezone: 'Europe/Berlin' }).timetable;
    expect(timetable(null)).toEqual({ kind: 'none' });
    expect(timetable('@daily')).toEqual({ kind: 'cron_trigger', expression: '0 0 * * *', timezone: 'Europe/Berlin' });
    expect(timetable({ hours: 6 })).toEqual({ kind: 'delta_trigger', deltaMs: 21_600_000 });
    expect(timetable(cronInterval('0 6 * * *'))).toEqual({
      kind: 'cron_interval',
      expression: '0 6 * * *',
      timezone: 'Europe/Berlin',
    });
    expect(timetable(cronInterval('@daily', { timezone: 'UTC' }))).toEqual({
      kind: 'cron_interval',
      expression: '0 0 * * *',
      timezone: 'UTC',
    });
    expect(timetable(cronTrigger('0 6 * * *', { interval: '1d' }))).toEqual({
      kind: 'cron_trigger',
      expression: '0 6 * * *',
      timezone: 'Europe/Berlin',
      intervalMs: 86_400_000,
    });
    expect(timetable(multiCron(['0 6 * * *', '0 18 * * *']))).toMatchObject({
      kind: 'multi_cron_trigger',
      expressions: ['0 6 * * *', '0 18 * * *'],
    });
    expect(timetable(events(['2024-01-01', new Date(0)]))).toMatchObject({
      kind: 'events',
      eventDates: [0, Date.UTC(2024, 0, 1)],
    });
    expect(timetable(deltaInterval('30m'))).toEqual({ kind: 'delta_interval', deltaMs: 1_800_000 });
    expect(timetable('@continuous')).toEqual({ kind: 'continuous' });
  });

  it('serialises to the same bytes each time', () => {
    const make = (): Dag =>
      new Dag(
        {
          id: 'd',
          schedule: '@daily',
          startDate: '2024-01-01',
          tags: ['x'],
          params: { n: 1, s: param('a', { type: 'string', description: 'text' }) },
          dagrunTimeout: '1h',
          onFailure: () => 1,
        },
        () => {
          echo('a').to(echo('b'));
        },
      );
    const [one, two] = [make(), make()];
    expect([one.complete(), two.complete()]).toEqual([[], []]);
    const withoutLines = (d: Dag): string => JSON.stringify(serialiseDag(d));
    expect(withoutLines(one)).toBe(withoutLines(two));
    expect(serialiseDag(one)).toMatchObject({
      catchup: false,
      maxActiveRuns: 16,
      maxActiveTasks: 16,
      dagrunTimeoutMs: 3_600_000,
      callbacks: ['onFailure'],
      params: { n: { default: 1, schema: {} }, s: { default: 'a', schema: { type: 'string' }, description: 'text' } },
    });
  });
});
