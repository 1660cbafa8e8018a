import type { InputValue, MapIndex } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import fc from 'fast-check';
import { Dag, Operator, Skip, task, taskGroup, type TaskContext } from '../index.ts';
import type { Listable } from '../authoring/source.ts';
import { collectDags } from './collect.ts';
import type { AttemptServices, XComListQuery } from './contract.ts';
import { executeAttempt } from './execute.ts';

interface World {
  readonly mapIndex?: MapIndex;
  readonly inputs?: Readonly<Record<string, InputValue>>;
  /** Values of mapped tasks, by task id and map index. */
  readonly values?: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly blobs?: Readonly<Record<string, Json>>;
}

async function run(dag: Dag, taskId: string, { mapIndex = [], inputs = {}, values = {}, blobs = {} }: World = {}) {
  expect(collectDags({ default: dag }, 'd.ts').errors).toEqual([]);
  const calls: string[] = [];
  const stored: string[] = [];
  const log: string[] = [];
  const services: AttemptServices = {
    variable: async () => undefined,
    connection: async () => undefined,
    xcom: async (_id, query) => {
      calls.push(`xcom ${query.taskId}[${query.mapIndex ?? ''}]`);
      const value = values[query.taskId]?.[query.mapIndex ?? ''];
      return value === undefined ? undefined : { value };
    },
    xcomList: async (_id, { taskId: of, under, offset, limit }: XComListQuery) => {
      calls.push(`list ${of} ${offset}+${limit}`);
      const all = Object.entries(values[of] ?? {}).filter(
        ([index]) => under === '' || index === under || index.startsWith(`${under}.`),
      );
      const page = all.slice(offset, offset + limit).map(([index, value]) => ({ mapIndex: index, value }));
      return { values: page, total: all.length };
    },
    putBlob: async (_id, bytes) => `stored${stored.push(Buffer.from(bytes).toString())}`,
    getBlob: async (_id, hash) => {
      calls.push(`blob ${hash}`);
      return blobs[hash] === undefined ? undefined : Buffer.from(JSON.stringify(blobs[hash]));
    },
  };
  const result = await executeAttempt({
    dag,
    services,
    signal: new AbortController().signal,
    log: (_level, text) => void log.push(text),
    env: {},
    root: '/',
    input: {
      id: 'attempt',
      attempt: { dagId: dag.dagId, runId: 'r', taskId, mapIndex, tryNumber: 1, leg: 1 },
      bundle: { hash: 'h', file: 'd.ts' },
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
      inputs,
      position: 0,
      traceparent: '',
    },
  });
  return { ...result, calls, stored, log };
}

type Ran = Awaited<ReturnType<typeof run>>;
const value = ({ outcome, log }: Ran): unknown => {
  if (outcome.kind !== 'success') throw new Error(`${JSON.stringify(outcome)}\n${log.join('\n')}`);
  const returned = outcome.xcoms?.['return_value'];
  return returned !== undefined && 'value' in returned ? returned.value : returned;
};
const failure = ({ outcome }: Ran): string => (outcome.kind === 'failed' ? outcome.error.message : outcome.kind);

const echo = (id = 'echo') => task(id, (_ctx, ...items: unknown[]) => ({ items }));
const dagOf = (define: () => void): Dag => new Dag({ id: 'd' }, define);

describe('what an instance gets', () => {
  /** A list as a DAG file makes it, and as it is when all of it is there. */
  interface Made {
    readonly make: (outputs: readonly Listable[]) => Listable;
    readonly all: (outputs: readonly (readonly Json[])[]) => readonly Json[];
  }
  const OUTPUTS = [[1, 2, 3], ['a', 'b'], []] as const;
  const leaf: fc.Arbitrary<Made> = fc.nat(OUTPUTS.length - 1).map((n) => ({ make: (o) => o[n]!, all: (o) => o[n]! }));
  const made = (depth: number): fc.Arbitrary<Made> => {
    if (depth === 0) return leaf;
    const two = fc.tuple(made(depth - 1), made(depth - 1));
    type Lists = {
      zip: (...o: unknown[]) => Listable;
      concat: (...o: unknown[]) => Listable;
      map: (f: unknown) => Listable;
    };
    const of = (list: Listable): Lists => list as unknown as Lists;
    return fc.oneof(
      leaf,
      made(depth - 1).map(({ make, all }): Made => ({
        make: (o) => of(make(o)).map((item: Json) => [item]),
        all: (o) => all(o).map((item) => [item]),
      })),
      two.map(([a, b]): Made => ({
        make: (o) => of(a.make(o)).concat(b.make(o)),
        all: (o) => [...a.all(o), ...b.all(o)],
      })),
      fc.tuple(two, fc.boolean()).map(([[a, b], fills]): Made => ({
        make: (o) => of(a.make(o)).zip(b.make(o), ...(fills ? [{ fillvalue: 'none' }] : [])),
        all: (o) => {
          const [left, right] = [a.all(o), b.all(o)];
          const length = fills ? Math.max(left.length, right.length) : Math.min(left.length, right.length);
          return Array.from({ length }, (_, i) => [left[i] ?? 'none', right[i] ?? 'none']);
        },
      })),
    );
  };

  it('is the combination of its index, however the lists are made; the last list varies fastest', async () => {
    const lists = fc.array(made(2), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(lists, async (over) => {
        const dag = dagOf(() => {
          const outputs = OUTPUTS.map((items, i) => task(`t${i}`, () => [...items])());
          echo().expand(...(over.map(({ make }) => make(outputs)) as never[]));
        });
        let rows: Json[][] = [[]];
        for (const { all } of over) rows = rows.flatMap((row) => all(OUTPUTS).map((item) => [...row, item]));
        const inputs = Object.fromEntries(OUTPUTS.map((items, i) => [`t${i}`, { value: [...items] }]));
        for (const [index, row] of rows.slice(0, 40).entries())
          expect(value(await run(dag, 'echo', { mapIndex: [index], inputs }))).toEqual({ items: row });
      }),
      { numRuns: 60 },
    );
  });

  it('of an object is a pair of key and value, in order', async () => {
    const dag = dagOf(() => void echo().expand(task('o', () => ({ z: 1, a: 2 }))() as never));
    const inputs = { o: { value: { z: 1, a: 2 } } };
    expect(value(await run(dag, 'echo', { mapIndex: [1], inputs }))).toEqual({ items: [['a', 2]] });
  });

  class Say extends Operator<{ text: string; other?: string }, string> {
    static override readonly templateFields = ['text'];
    execute(ctx: TaskContext, { text, other }: { text: string; other?: string }): string {
      return `${text} ${other ?? ''} ${JSON.stringify(ctx.params)}`;
    }
  }

  it('is rendered where it is a literal, and not where a task returned it', async () => {
    const dag = dagOf(() => {
      const texts = task('texts', () => ['{{ run_id }}'])();
      Say.partial({ id: 'literal', other: '{{ run_id }}' }).expand({ text: ['{{ run_id }}'] });
      Say.partial({ id: 'returned' }).expand({ text: texts });
      Say.partial({ id: 'kwargs' }).expandKwargs([{ text: '{{ run_id }}' }]);
    });
    const world = { mapIndex: [0], inputs: { texts: { value: ['{{ run_id }}'] } } };
    expect(value(await run(dag, 'literal', world))).toBe('r {{ run_id }} {}');
    expect(value(await run(dag, 'returned', world))).toBe('{{ run_id }}  {}');
    expect(value(await run(dag, 'kwargs', world))).toBe('r  {}');
  });

  it('of params goes over those of all instances', async () => {
    const dag = dagOf(() => {
      Say.partial({ id: 'say', text: 'x', params: { a: 1, b: 2 } }).expand({ params: [{ b: 3 }, { c: 4 }] });
    });
    expect(value(await run(dag, 'say', { mapIndex: [0] }))).toBe('x  {"a":1,"b":3}');
    expect(value(await run(dag, 'say', { mapIndex: [1] }))).toBe('x  {"a":1,"b":2,"c":4}');
  });

  it('may be skipped or refused by what maps it', async () => {
    const dag = dagOf(() => {
      const items = task('t', () => [1, 2, 3])();
      echo().expand(
        items.map((n) => {
          if (n === 2) throw new Skip('even');
          if (n === 3) throw new RangeError('too large');
          return n;
        }),
      );
    });
    const at = (index: number) => run(dag, 'echo', { mapIndex: [index], inputs: { t: { value: [1, 2, 3] } } });
    expect(value(await at(0))).toEqual({ items: [1] });
    expect((await at(1)).outcome).toEqual({ kind: 'skipped', reason: 'even' });
    expect((await at(2)).outcome).toMatchObject({
      kind: 'failed',
      error: { type: 'RangeError', message: 'too large' },
    });
  });

  it.each([
    [null, 'expandKwargs() expects a list of objects, not a list with null (item 0 is null)'],
    [[1], 'expandKwargs() expects a list of objects, not a list with a list (item 0 is [1])'],
    [{ a: 1, b: 2 }, 'expandKwargs(): b is unmappable or already specified: partial() gives it too'],
    [undefined, 'there is no item 0: the list has 0 now'],
  ])('as an object of arguments is refused when it is %j', async (item, message) => {
    const dag = dagOf(() => {
      const items = task('t', () => [] as { a: number }[])();
      task('f', (_ctx, { a }: { a: number; b: number }) => a)
        .partial({ b: 1 })
        .expandKwargs(items);
    });
    const list = item === undefined ? [] : [item];
    expect(failure(await run(dag, 'f', { mapIndex: [0], inputs: { t: { value: list as Json } } }))).toBe(message);
  });
});

describe('a large list', () => {
  const dag = dagOf(() => {
    const rows = task('rows', () => [{ n: 1 }])();
    task('each', (_ctx, row: { n: number }) => ++row.n).expand(rows);
    task('part', (_ctx, n: number) => n).expand(task('deep', () => ({ list: [1] }))().get('list'));
  });

  it('is fetched and parsed once for all instances in a process, and none sees what another does to its item', async () => {
    const world = { inputs: { rows: { blob: 'rows' } }, blobs: { rows: [{ n: 1 }, { n: 5 }] } };
    const first = await run(dag, 'each', { ...world, mapIndex: [1] });
    expect([value(first), first.calls]).toEqual([6, ['blob rows']]);
    const again = await run(dag, 'each', { ...world, mapIndex: [1] });
    expect([value(again), again.calls]).toEqual([6, []]);
    expect(
      value(
        await run(dag, 'part', {
          mapIndex: [1],
          inputs: { deep: { blob: 'deep' } },
          blobs: { deep: { list: [7, 8] } },
        }),
      ),
    ).toBe(8);
  });

  it('goes to the blob store above 2 KiB where something is mapped over it', async () => {
    const small = await run(
      dagOf(() => echo().expand(task('t', () => ['x'.repeat(2_000)])())),
      't',
    );
    const large = await run(
      dagOf(() => echo().expand(task('t', () => ['x'.repeat(2_100)])())),
      't',
    );
    const other = await run(
      dagOf(() => void echo()(task('t', () => ['x'.repeat(2_100)])())),
      't',
    );
    expect([small.stored.length, large.stored.length, other.stored.length]).toEqual([0, 1, 0]);
  });
});

describe('a task that something is mapped over', () => {
  const outcomeOf = async (returned: unknown) => {
    const dag = dagOf(() => {
      const source = task('t', () => returned as { list: number[] })();
      echo('whole').expand(source as never);
      echo('part').expand(source.get('list'));
    });
    return run(dag, 't');
  };

  it('tells how much there is of each part', async () => {
    expect((await outcomeOf({ list: [1, 2, 3], other: 0 })).outcome).toMatchObject({
      kind: 'success',
      lengths: { '[]': 2, '["list"]': 3 },
    });
  });

  it.each([
    [5, "'whole' is mapped over what this task returns, which is a number; allowed: a list or an object"],
    ['text', "'whole' is mapped over what this task returns, which is a string; allowed: a list or an object"],
    [undefined, "'whole' is mapped over what this task returns, which is undefined; allowed: a list or an object"],
    [
      { list: 'text' },
      "'part' is mapped over list of what this task returns, which is a string; allowed: a list or an object",
    ],
  ])('fails when it returns %j', async (returned, message) => {
    const ran = await outcomeOf(returned);
    expect(ran.outcome).toMatchObject({ kind: 'failed', error: { type: 'UnmappableReturnValue', message } });
  });
});

describe('the values of mapped tasks', () => {
  const dag = dagOf(() => {
    const rows = task('rows', () => [1])();
    const each = task('each', (_ctx, n: number) => n).expand(rows);
    task('all', each, (_ctx, all) => all.length);
    task('next', (_ctx, n: number) => n).expand(each);
    task('pull', async (ctx) => [
      await ctx.xcom.pull('each'),
      await ctx.xcom.pull(each, { mapIndex: 2 }),
      await ctx.xcom.pull('each', { mapIndexes: [[2], 7] }),
    ])();
    taskGroup('g').expand({ x: rows }, ({ x }) => {
      const inside = task('inside', (_ctx, n: number) => n)(x);
      const own = task('own', (_ctx, n: number) => n)(inside);
      task('pulls', async (ctx) => ctx.xcom.pull('g.inside'))().from(own);
    });
  });
  const each = Object.fromEntries(Array.from({ length: 2_500 }, (_, i) => [String(i * 2), i]));

  it('are read in pages by what takes them all', async () => {
    const ran = await run(dag, 'all', { inputs: { each: { mapped: [] } }, values: { each } });
    expect(value(ran)).toBe(2_500);
    expect(ran.calls).toEqual(['list each 0+1000', 'list each 1000+1000', 'list each 2000+1000']);
  });

  it('are read one by one by what is mapped over them', async () => {
    const ran = await run(dag, 'next', { mapIndex: [2_400], inputs: { each: { mapped: [] } }, values: { each } });
    expect([value(ran), ran.calls]).toEqual([2_400, ['list each 2400+1']]);
  });

  it('are pulled as a list, or by their map index', async () => {
    const ran = await run(dag, 'pull', { values: { each: { '0': 'a', '2': 'b', '7': 'c' } } });
    expect(value(ran)).toEqual([['a', 'b', 'c'], 'b', ['b', 'c']]);
  });

  it('are those of the own index inside of a mapped group', async () => {
    const values = { 'g.inside': { '0': 'zero', '1': 'one' } };
    expect(value(await run(dag, 'g.own', { mapIndex: [1], values }))).toBe('one');
    expect(value(await run(dag, 'g.pulls', { mapIndex: [1], values }))).toBe('one');
  });
});

describe('the name of an instance', () => {
  const dag = (
    mapIndexTemplate: string | undefined,
    body: (ctx: TaskContext, args: { x: string }) => unknown = () => 1,
  ) =>
    dagOf(() => {
      const options = mapIndexTemplate === undefined ? {} : { mapIndexTemplate };
      task('t', body, options).expand({ x: ['a', 'b'] });
    });
  const nameOf = async (...given: Parameters<typeof dag>) => {
    const { mapIndexName, outcome } = await run(dag(...given), 't', { mapIndex: [1] });
    return [mapIndexName, outcome.kind];
  };

  it('knows the arguments, and what the body has set', async () => {
    expect(await nameOf('{{ ti.task_id }}-{{ x }}')).toEqual(['t-b', 'success']);
    expect(await nameOf('{{ n }}', (ctx, { x }) => ctx.templates.set('n', x + x))).toEqual(['bb', 'success']);
    expect(await nameOf('')).toEqual(['', 'success']);
    expect(await nameOf(undefined)).toEqual([undefined, 'success']);
  });

  it('is told of an instance that failed or skipped too', async () => {
    const end = (error: Error) => (ctx: TaskContext) => {
      ctx.templates.set('n', 1);
      throw error;
    };
    expect(await nameOf('n{{ n }}', end(new Error('no')))).toEqual(['n1', 'failed']);
    expect(await nameOf('n{{ n }}', end(new Skip()))).toEqual(['n1', 'skipped']);
    expect(await nameOf('{{ x }} {{ n }}', () => Promise.reject(new Error('no')))).toEqual([undefined, 'failed']);
  });

  it('that cannot be rendered fails a body that succeeded', async () => {
    expect(await nameOf('{{ nothing }}')).toEqual([undefined, 'failed']);
  });

  it('comes from the innermost group where the task has none', async () => {
    const grouped = dagOf(() => {
      taskGroup('g', { mapIndexTemplate: '{{ x }}!' }).expand({ x: ['a', 'b'] }, () => void task('t', () => 1)());
    });
    expect((await run(grouped, 'g.t', { mapIndex: [1] })).mapIndexName).toBe('b!');
  });
});
