import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Connection } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import { Dag, Operator, param, task, TaskGroup, type DagOptions } from '../authoring/index.ts';
import { literal } from '../templates/index.ts';
import { collectDags, executeAttempt, FailNow, runCallback, Skip } from './index.ts';
import type {
  AttemptInput,
  AttemptResult,
  AttemptServices,
  CallbackContext,
  ExecuteAttemptOptions,
  TaskContext,
  XComQuery,
} from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'rondo-runtime-'));
afterAll(() => rmSync(root, { recursive: true }));

class Show extends Operator<{ text: unknown; raw?: string }, unknown> {
  static override readonly templateFields = ['text'];
  static override readonly templateExtensions = ['.sql'];
  execute(_ctx: TaskContext, { text, raw }: { text: unknown; raw?: string }): unknown {
    return raw === undefined ? text : [text, raw];
  }
}

interface World {
  readonly variables?: Record<string, string>;
  readonly connections?: Record<string, Connection>;
  readonly xcoms?: Record<string, Json>;
  readonly input?: Partial<AttemptInput>;
  readonly tryNumber?: number;
  readonly options?: Partial<ExecuteAttemptOptions>;
  readonly conf?: Json;
  readonly logicalDate?: number | null;
}

interface Ran extends AttemptResult {
  readonly log: string[];
  readonly blobs: Map<string, Uint8Array>;
  readonly queries: XComQuery[];
}

async function run(dag: Dag, taskId: string, world: World = {}): Promise<Ran> {
  const { dags, errors } = collectDags({ default: dag }, 'dag.ts');
  expect(errors).toEqual([]);
  const [log, queries, blobs] = [[] as string[], [] as XComQuery[], new Map<string, Uint8Array>()];
  const services: AttemptServices = {
    variable: async (_id, key) => world.variables?.[key],
    connection: async (_id, connId) => world.connections?.[connId],
    xcom: async (_id, query) => {
      queries.push(query);
      const key = `${query.taskId}.${query.key}`;
      return world.xcoms !== undefined && key in world.xcoms ? { value: world.xcoms[key]! } : undefined;
    },
    xcomList: async () => ({ values: [], total: 0 }),
    putBlob: async (_id, bytes) => {
      const hash = `hash${blobs.size}`;
      blobs.set(hash, bytes);
      return hash;
    },
    getBlob: async (_id, hash) => Buffer.from(`"blob ${hash}"`),
  };
  const input: AttemptInput = {
    id: 'attempt',
    attempt: { dagId: dag.dagId, runId: 'r', taskId, mapIndex: [], tryNumber: world.tryNumber ?? 1, leg: 1 },
    bundle: { hash: 'h', file: 'dag.ts' },
    run: {
      runType: 'manual',
      logicalDate: world.logicalDate === undefined ? Date.UTC(2024, 11, 1) : world.logicalDate,
      dataInterval: null,
      runAfter: 0,
      startedAt: 0,
      conf: world.conf ?? {},
      triggeredBy: 'user',
    },
    maxTries: 2,
    inputs: {},
    position: 0,
    traceparent: '',
    ...world.input,
  };
  const result = await executeAttempt({
    dag: dags[0]!,
    input,
    services,
    signal: new AbortController().signal,
    log: (level, text) => log.push(`${level}: ${text}`),
    env: { HOME: '/h' },
    root,
    ...world.options,
  });
  return { ...result, log, blobs, queries };
}

const one = (body: (ctx: TaskContext) => unknown, attributes: object = {}, dagOptions: Partial<DagOptions> = {}): Dag =>
  new Dag({ id: 'd', ...dagOptions }, () => void task('t', body, attributes));

describe('outcomes', () => {
  it('of a body that returns', async () => {
    expect(
      (
        await run(
          one(() => ({ a: 1 })),
          't',
        )
      ).outcome,
    ).toEqual({ kind: 'success', xcoms: { return_value: { value: { a: 1 } } } });
    expect(
      (
        await run(
          one(() => undefined),
          't',
        )
      ).outcome,
    ).toEqual({ kind: 'success' });
    expect(
      (
        await run(
          one(() => null),
          't',
        )
      ).outcome,
    ).toEqual({ kind: 'success' });
    expect(
      (
        await run(
          one(() => 1, { pushXcom: false }),
          't',
        )
      ).outcome,
    ).toEqual({ kind: 'success' });
  });

  it('of a body that throws', async () => {
    const failure = (thrown: unknown) =>
      run(
        one(() => Promise.reject(thrown)),
        't',
      );
    const { outcome, log } = await failure(new RangeError('no', { cause: new Error('deep') }));
    expect(outcome).toMatchObject({
      kind: 'failed',
      retryable: true,
      error: { kind: 'exception', type: 'RangeError', message: 'no' },
    });
    expect(JSON.stringify(outcome)).toContain('caused by: Error: deep');
    expect(log[0]).toMatch(/^error: RangeError: no\n\s+at /);
    expect((await failure(new Skip('nothing new'))).outcome).toEqual({ kind: 'skipped', reason: 'nothing new' });
    expect((await failure(new FailNow('never'))).outcome).toMatchObject({
      kind: 'failed',
      retryable: false,
      error: { type: 'FailNow', message: 'never' },
    });
    expect((await failure('text')).outcome).toMatchObject({
      kind: 'failed',
      error: { kind: 'exception', message: "thrown: 'text'" },
    });
    expect((await failure(undefined)).outcome).toMatchObject({
      kind: 'failed',
      error: { message: 'thrown: undefined' },
    });
  });

  it('hide secrets', async () => {
    const mask = (text: string): string => text.replaceAll('hunter2', '***');
    const { outcome, rendered } = await run(
      new Dag({ id: 'd' }, () => void new Show({ id: 't', text: ['{{ var.value.pw }}'] })),
      't',
      { variables: { pw: 'hunter2' }, options: { mask } },
    );
    expect([outcome, rendered]).toEqual([
      { kind: 'success', xcoms: { return_value: { value: ['hunter2'] } } },
      { text: ['***'] },
    ]);
    const failed = await run(
      one(() => {
        throw new Error('pw hunter2');
      }),
      't',
      { options: { mask } },
    );
    expect(JSON.stringify(failed.outcome)).not.toContain('hunter2');
  });

  it('of decisions', async () => {
    const decide = (body: (ctx: TaskContext) => void): Dag =>
      new Dag({ id: 'd' }, () => {
        const t = task('t', body);
        const group = new TaskGroup({ id: 'g' }, () => {
          task('a', () => 1).to(task('b', () => 1));
        });
        t.to([group, task('other', () => 1)]);
      });
    expect(
      (
        await run(
          decide((ctx) => ctx.flow.follow(['g'])),
          't',
        )
      ).outcome,
    ).toEqual({ kind: 'success', skip: { kind: 'branch', follow: ['g.a'] } });
    expect(
      (
        await run(
          decide((ctx) => ctx.flow.follow('nope')),
          't',
        )
      ).outcome,
    ).toMatchObject({ kind: 'failed', error: { kind: 'branch', message: expect.stringContaining('nope') as string } });
    expect(
      (
        await run(
          decide((ctx) => ctx.flow.shortCircuit()),
          't',
        )
      ).outcome,
    ).toEqual({ kind: 'success', skip: { kind: 'shortCircuit', ignoreDownstreamTriggerRules: true } });
    const request = { dagId: 'x', wait: true, allowedStates: ['success'], skipWhenAlreadyExists: false } as const;
    expect(
      (
        await run(
          decide((ctx) => ctx.flow.triggerRun(request)),
          't',
        )
      ).outcome,
    ).toEqual({ kind: 'trigger', request });
  });

  it('of a task that is not there', async () => {
    expect(
      (
        await run(
          one(() => 1),
          'gone',
        )
      ).outcome,
    ).toEqual({
      kind: 'failed',
      retryable: false,
      error: { kind: 'load', message: "DAG 'd' in dag.ts has no task 'gone'" },
    });
  });
});

describe('XComs', () => {
  it('are stored as JSON, or refused with the place', async () => {
    const outcome = async (value: unknown): Promise<unknown> =>
      (
        await run(
          one(() => value),
          't',
        )
      ).outcome;
    expect(await outcome({ rows: [{ at: new Date(0), n: 1n }] })).toMatchObject({
      xcoms: {
        return_value: {
          value: {
            rows: [{ at: { $type: 'date', $value: '1970-01-01T00:00:00.000Z' }, n: { $type: 'bigint', $value: '1' } }],
          },
        },
      },
    });
    expect(await outcome({ rows: [/x/] })).toMatchObject({
      error: { message: "XCom 'return_value': a RegExp at $.rows[0] cannot be stored; use its source" },
    });
  });

  it('that are too large fail the task that pushes them', async () => {
    const { outcome } = await run(
      one(() => 'x'.repeat(100)),
      't',
      { options: { settings: { xcoms: { maxBytes: 64 } } } },
    );
    expect(outcome).toMatchObject({
      kind: 'failed',
      error: {
        type: 'RangeError',
        message: expect.stringContaining("XCom 'return_value' of task 't' has 102") as string,
      },
    });
  });

  it('come back as what they were: as arguments, by a look-up and in templates', async () => {
    const d = new Dag({ id: 'd' }, () => {
      const a = task('a', () => ({ at: new Date(0), tags: new Set(['x']), id: 2n ** 60n }))();
      task(
        't',
        { at: a.output.get('at'), text: '{{ ti.xcom_pull("a").at.strftime("%Y") }}' },
        async (ctx, { at, text }) => {
          const year: number = at.getUTCFullYear();
          const pulled = await ctx.xcom.pull(a);
          return [year, text, pulled?.tags.has('x'), pulled?.id];
        },
      );
    });
    const value = {
      at: { $type: 'date', $value: '1970-01-01T00:00:00.000Z' },
      tags: { $type: 'set', $value: ['x'] },
      id: { $type: 'bigint', $value: String(2n ** 60n) },
    };
    const { outcome } = await run(d, 't', { xcoms: { 'a.return_value': value }, input: { inputs: { a: { value } } } });
    expect(outcome).toMatchObject({
      xcoms: { return_value: { value: [1970, '1970', true, { $type: 'bigint', $value: '1152921504606846976' }] } },
    });
  });

  it('are pushed by key, also by a failure, and per key of an object', async () => {
    const pushed = await run(
      one((ctx) => {
        ctx.xcom.push('k', [1]);
        throw new Error('late');
      }),
      't',
    );
    expect(pushed.outcome).toMatchObject({ kind: 'failed', xcoms: { k: { value: [1] } } });
    const multiple = await run(
      one(() => ({ a: 1, b: 'x' }), { multipleOutputs: true }),
      't',
    );
    expect(multiple.outcome).toEqual({
      kind: 'success',
      xcoms: { a: { value: 1 }, b: { value: 'x' }, return_value: { value: { a: 1, b: 'x' } } },
    });
    expect(
      (
        await run(
          one(() => [1], { multipleOutputs: true }),
          't',
        )
      ).outcome,
    ).toMatchObject({
      kind: 'failed',
      error: { message: 'the task has multipleOutputs and returned [1]; allowed: an object' },
    });
  });

  it('that are large go to the blob store, and so does what is too much together', async () => {
    const large = await run(
      one(() => 'x'.repeat(40_000)),
      't',
    );
    expect(large.outcome).toEqual({ kind: 'success', xcoms: { return_value: { blob: 'hash0', bytes: 40_002 } } });
    expect(Buffer.from(large.blobs.get('hash0')!).toString()).toBe(JSON.stringify('x'.repeat(40_000)));
    const many = await run(
      one((ctx) => {
        for (const [key, size] of [
          ['a', 20_000],
          ['b', 30_000],
          ['c', 10_000],
        ] as const)
          ctx.xcom.push(key, 'x'.repeat(size));
      }),
      't',
    );
    expect(many.outcome).toMatchObject({
      xcoms: {
        a: { value: expect.any(String) as string },
        b: { blob: 'hash0', bytes: 30_002 },
        c: { value: expect.any(String) as string },
      },
    });
  });

  it('come as inputs: in line, by hash, looked up, or missing', async () => {
    const d = new Dag({ id: 'd' }, () => {
      const [a, b, c] = ['a', 'b', 'c'].map((id) => task(id, () => ({ x: [id] }))()) as [
        ReturnType<typeof make>,
        ReturnType<typeof make>,
        ReturnType<typeof make>,
      ];
      task('t', [a, b, c, a.get('x').get(0), '{{ ds }}'], (_ctx, all) => all);
    });
    const make = () => task('x', () => ({ x: [''] }))();
    const { outcome, rendered } = await run(d, 't', {
      input: { inputs: { a: { value: { x: ['from a'] } }, b: { blob: 'h' } } },
      xcoms: { 'c.return_value': 5 },
    });
    expect(outcome).toEqual({
      kind: 'success',
      xcoms: { return_value: { value: [{ x: ['from a'] }, 'blob h', 5, 'from a', '2024-12-01'] } },
    });
    expect(rendered).toEqual({ args: [[{ x: ['from a'] }, 'blob h', 5, 'from a', '2024-12-01']] });
    const missing = await run(d, 't', {});
    expect(missing.outcome).toEqual({
      kind: 'success',
      xcoms: {
        return_value: { value: [null, null, null, null, '2024-12-01'] },
      },
    });
  });
});

describe('the context', () => {
  it('tells who, when and with what', async () => {
    const body = (ctx: TaskContext) => ({
      dag: ctx.dag,
      run: ctx.run.runId,
      id: ctx.ti.attemptId,
      tries: [ctx.tryNumber, ctx.maxTries],
      params: ctx.params,
      conf: ctx.conf,
      date: ctx.logicalDate?.toISOString() ?? null,
      env: ctx.env['HOME'],
      owner: ctx.task.owner,
    });
    const d = one(body, { owner: 'me', params: { limit: param(1, { type: 'integer' }) } }, { params: { name: 'x' } });
    expect((await run(d, 't', { conf: { limit: 5, extra: true }, tryNumber: 2 })).outcome).toMatchObject({
      xcoms: {
        return_value: {
          value: {
            dag: { dagId: 'd', file: 'dag.ts' },
            run: 'r',
            id: 'd:r:t:2.1',
            tries: [2, 2],
            params: { name: 'x', limit: 5, extra: true },
            conf: { limit: 5, extra: true },
            date: '2024-12-01T00:00:00.000Z',
            env: '/h',
            owner: 'me',
          },
        },
      },
    });
    expect((await run(d, 't', { conf: { limit: 'many' } })).outcome).toMatchObject({
      kind: 'failed',
      error: { message: "param 'limit' is 'many'; allowed: must be integer" },
    });
  });

  it('looks up variables, connections and XComs', async () => {
    const body = async (ctx: TaskContext) => [
      await ctx.variables.get('a'),
      await ctx.variables.get('none', 'fallback'),
      await ctx.variables.getJson('j'),
      await ctx.variables.getJson('none', { d: 1 }),
      (await ctx.connections.get('db')).host,
      await ctx.xcom.pull('up', { key: 'k' }),
      (await ctx.xcom.pull('gone')) ?? 'nothing',
    ];
    const world: World = {
      variables: { a: '1', j: '[2]' },
      connections: { db: { connId: 'db', connType: 'x', host: 'h' } },
      xcoms: { 'up.k': 7 },
    };
    expect((await run(one(body), 't', world)).outcome).toMatchObject({
      xcoms: { return_value: { value: ['1', 'fallback', [2], { d: 1 }, 'h', 7, 'nothing'] } },
    });
    expect(
      (
        await run(
          one((ctx) => ctx.variables.get('none')),
          't',
        )
      ).outcome,
    ).toMatchObject({ error: { message: "there is no variable 'none'" } });
    expect(
      (
        await run(
          one((ctx) => ctx.connections.get('none')),
          't',
        )
      ).outcome,
    ).toMatchObject({ error: { message: "there is no connection 'none'" } });
    const logged = await run(
      one((ctx) => ctx.log.info('%s of', 1, { a: 2 })),
      't',
    );
    expect(logged.log).toEqual(['info: 1 of { a: 2 }']);
  });

  it('finds the files of the bundle', async () => {
    mkdirSync(join(root, 'sql'), { recursive: true });
    writeFileSync(join(root, 'sql', 'q.sql'), "select '{{ ds }}'\n");
    expect(
      (
        await run(
          one((ctx) => ctx.files.path('sql/q.sql')),
          't',
        )
      ).outcome,
    ).toMatchObject({ xcoms: { return_value: { value: join(root, 'sql/q.sql') } } });
    expect(
      (
        await run(
          one((ctx) => ctx.files.path('../../etc/passwd')),
          't',
        )
      ).outcome,
    ).toMatchObject({ error: { message: expect.stringContaining('is not in the bundle of dag.ts') as string } });
    const d = new Dag(
      { id: 'd', templateSearchPath: 'sql' },
      () => void new Show({ id: 't', text: { query: 'q.sql' }, raw: '{{ ds }}' }),
    );
    expect(await run(d, 't')).toMatchObject({
      outcome: { xcoms: { return_value: { value: [{ query: "select '2024-12-01'" }, '{{ ds }}'] } } },
      rendered: { text: { query: "select '2024-12-01'" } },
    });
  });
});

describe('templates', () => {
  it('look things up while they render', async () => {
    const text =
      "{{ var.value.a }} {{ conn.db.host }} {{ ti.xcom_pull(task_ids='up', key='k').n }} {% if var.value.get('b', '') %}b{% endif %}";
    const d = new Dag({ id: 'd' }, () => void new Show({ id: 't', text }));
    const world: World = {
      variables: { a: '1' },
      connections: { db: { connId: 'db', connType: 'x', host: 'h' } },
      xcoms: { 'up.k': { n: 2 } },
    };
    expect((await run(d, 't', world)).rendered).toEqual({ text: '1 h 2 ' });
  });

  it('fail with the field, and lack the dates of a run without one', async () => {
    const d = new Dag({ id: 'd' }, () => void new Show({ id: 't', text: 'on {{ ds }}' }));
    expect((await run(d, 't', { logicalDate: null })).outcome).toMatchObject({
      kind: 'failed',
      retryable: true,
      error: {
        kind: 'template',
        message: "field text, template 'on {{ ds }}', line 1: 'ds' is undefined (the run has no logical date)",
      },
    });
  });

  it('give values in a DAG that asks for it, and are kept short for people', async () => {
    const d = new Dag(
      { id: 'd', renderTemplateAsNativeObj: true, params: { xs: [1, 2] } },
      () => void new Show({ id: 't', text: '{{ params.xs }}' }),
    );
    expect((await run(d, 't')).outcome).toMatchObject({ xcoms: { return_value: { value: [1, 2] } } });
    const long = new Dag({ id: 'd' }, () => void new Show({ id: 't', text: '{{ "x" * 10000 }}' }));
    expect((await run(long, 't')).rendered!['text']).toHaveLength(4_096);
  });
});

describe('fields', () => {
  it('that are functions are made of the context, and not rendered again', async () => {
    const d = new Dag({ id: 'd' }, () => {
      new Show({
        id: 't',
        text: async (ctx: TaskContext, templates: TaskContext['templates']) =>
          `${ctx.run.runId} ${await templates.render('{{ ds }}')} {{ ds }}`,
      });
    });
    expect((await run(d, 't')).outcome).toMatchObject({
      xcoms: { return_value: { value: 'r 2024-12-01 {{ ds }}' } },
    });
  });

  it('that are literal stay as they are, in the place of a part too', async () => {
    const d = new Dag({ id: 'd' }, () => {
      new Show({ id: 't', text: literal('{{ ds }}') });
      new Show({ id: 'u', text: ['{{ ds }}', literal(['{{ ds }}'])] });
      task('v', { raw: literal('{{ ds }}'), text: '{{ ds }}' }, (_ctx, { raw, text }) => `${raw} ${text}`);
    });
    const returned = async (id: string) => (await run(d, id)).outcome;
    expect(await returned('t')).toMatchObject({ xcoms: { return_value: { value: '{{ ds }}' } } });
    expect(await returned('u')).toMatchObject({ xcoms: { return_value: { value: ['2024-12-01', ['{{ ds }}']] } } });
    expect(await returned('v')).toMatchObject({ xcoms: { return_value: { value: '{{ ds }} 2024-12-01' } } });
  });

  it('use the macros and filters of their DAG, and are native where the task or the DAG says so', async () => {
    const d = new Dag(
      {
        id: 'd',
        renderTemplateAsNativeObj: true,
        userDefinedMacros: {
          region: 'eu',
          ds: 'not this',
          add: (a: number, { to = 0 }: { to?: number } = {}) => a + to,
        },
        userDefinedFilters: { shout: (text: string) => `${text.toUpperCase()}!` },
      },
      () => {
        new Show({ id: 't', text: '{{ region | shout }} {{ add(1, to=2) }} {{ ds }}' });
        new Show({ id: 'native', text: '{{ add(1, to=2) }}' });
        new Show({ id: 'textual', text: '{{ add(1, to=2) }}', renderTemplateAsNativeObj: false });
      },
    );
    const value = async (id: string) =>
      ((await run(d, id)).outcome as unknown as { xcoms: { return_value: { value: Json } } }).xcoms.return_value.value;
    expect(await value('t')).toBe('EU! 3 2024-12-01');
    expect(await value('native')).toBe(3);
    expect(await value('textual')).toBe('3');
  });
});

describe('looking up XComs', () => {
  const d = new Dag({ id: 'd' }, () => {
    task('a', () => 1)();
    task('b', () => 2)();
    task('t', async (ctx) => {
      ctx.xcom.push('mine', new Date(0));
      const [own, templated] = [
        await ctx.xcom.pull(undefined, { key: 'mine' }),
        await ctx.templates.render("{{ ti.xcom_pull(key='mine') | ds }}"),
      ];
      const several = await ctx.xcom.pull(['a', 'nope', 'b']);
      await ctx.xcom.pull('a', { includePriorDates: true });
      await ctx.templates.render("{{ ti.xcom_pull('b', include_prior_dates=True) }}");
      return [own, templated, several, await ctx.templates.render("{{ ti.xcom_pull(['a', 'b']) }}")];
    })();
  });

  it('gives those of several tasks, and what the attempt itself has pushed', async () => {
    const { outcome, queries } = await run(d, 't', { xcoms: { 'a.return_value': 1, 'b.return_value': 2 } });
    expect(outcome).toMatchObject({
      xcoms: {
        return_value: {
          value: [{ $type: 'date', $value: '1970-01-01T00:00:00.000Z' }, '1970-01-01', [1, null, 2], '[1, 2]'],
        },
      },
    });
    expect(queries.filter(({ includePriorDates }) => includePriorDates === true).map(({ taskId }) => taskId)).toEqual([
      'a',
      'b',
    ]);
  });
});

describe('callbacks', () => {
  const traced = (body: () => unknown, extra: object = {}) => {
    const seen: string[] = [];
    const note = (ctx: CallbackContext) =>
      void seen.push(
        `${ctx.callback} ${ctx.tryNumber} ${ctx.reason}${ctx.error === undefined ? '' : ` (${ctx.error.type})`}`,
      );
    const d = one(body, {
      onExecute: note,
      onSuccess: note,
      onFailure: note,
      onRetry: note,
      onSkipped: note,
      ...extra,
    });
    return { d, seen };
  };

  it('fit the outcome', async () => {
    const cases: readonly (readonly [() => unknown, number, string[]])[] = [
      [() => 1, 1, ['onExecute 1 ', 'onSuccess 1 ']],
      [
        () => {
          throw new Error('x');
        },
        1,
        ['onExecute 1 ', 'onRetry 1 x (Error)'],
      ],
      [
        () => {
          throw new Error('x');
        },
        2,
        ['onExecute 2 ', 'onFailure 2 x (Error)'],
      ],
      [
        () => {
          throw new FailNow('x');
        },
        1,
        ['onExecute 1 ', 'onFailure 1 x (FailNow)'],
      ],
      [
        () => {
          throw new Skip('x');
        },
        1,
        ['onExecute 1 ', 'onSkipped 1 x'],
      ],
    ];
    for (const [body, tryNumber, expected] of cases) {
      const { d, seen } = traced(body);
      await run(d, 't', { tryNumber });
      expect(seen).toEqual(expected);
    }
  });

  it('that throw are logged and change nothing', async () => {
    const ran: string[] = [];
    const { outcome, log } = await run(
      one(() => 1, {
        onSuccess: [
          () => {
            throw new Error('oops');
          },
          () => void ran.push('next'),
        ],
      }),
      't',
    );
    expect(outcome).toMatchObject({ kind: 'success' });
    expect(log[0]).toMatch(/^error: callback onSuccess of task t failed: Error: oops/);
    expect(ran).toEqual(['next']);
  });

  it('run apart, for a task and for a DAG', async () => {
    const seen: string[] = [];
    const d = one(
      () => 1,
      { onFailure: (ctx: CallbackContext) => void seen.push(`task ${ctx.task.taskId}: ${ctx.reason}`) },
      {
        onFailure: async (ctx) => {
          seen.push(`dag ${ctx.dag.dagId}: ${ctx.reason} ${await ctx.templates.render('{{ reason }} {{ run_id }}')}`);
          throw new Error('bad');
        },
      },
    );
    collectDags({ default: d }, 'dag.ts');
    const log: string[] = [];
    const none = async () => undefined;
    const base = {
      dag: d,
      services: {
        variable: none,
        connection: none,
        xcom: none,
        xcomList: async () => ({ values: [], total: 0 }),
        getBlob: none,
        putBlob: async () => '',
      },
      signal: new AbortController().signal,
      log: (_level: string, text: string) => void log.push(text),
      env: {},
      root,
    };
    const input = {
      id: 'c',
      bundle: { hash: 'h', file: 'dag.ts' },
      dagId: 'd',
      runId: 'r',
      callback: 'onFailure',
      run: {
        runType: 'manual',
        logicalDate: null,
        dataInterval: null,
        runAfter: 0,
        startedAt: 0,
        conf: {},
        triggeredBy: 'user',
      },
      position: 0,
    } as const;
    expect(
      await runCallback({
        ...base,
        input: {
          ...input,
          reason: 'lost',
          attempt: { dagId: 'd', runId: 'r', taskId: 't', mapIndex: [], tryNumber: 1, leg: 1 },
        },
      }),
    ).toEqual({});
    expect(await runCallback({ ...base, input: { ...input, reason: 'timed_out' } })).toMatchObject({
      error: { message: 'bad' },
    });
    expect(seen).toEqual(['task t: lost', 'dag d: timed_out timed_out r']);
    expect(log[0]).toMatch(/^callback onFailure of DAG d failed: Error: bad/);
  });
});
