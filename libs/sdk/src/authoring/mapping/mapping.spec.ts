import * as z from 'zod';
import { collectDags } from '../../runtime/collect.ts';
import { serialiseDag } from '../../runtime/serialise.ts';
import type { TaskContext } from '../../runtime/task-context.ts';
import { Dag, Operator, task, taskGroup, templatable } from '../index.ts';

class Copy extends Operator<{ from: string; to: string; times?: number }, string> {
  static override readonly templateFields = ['from', 'to'];
  static override readonly schema = z.strictObject({
    from: templatable(z.string().min(1)).describe('a path'),
    to: templatable(z.string().min(1)).describe('a path'),
    times: z.int().describe('a whole number').optional(),
  });

  execute(_ctx: TaskContext, { from, to }: { from: string; to: string }): string {
    return `${from}:${to}`;
  }
}

const definitionOf = (define: () => void) => {
  const dag = new Dag({ id: 'd' }, define);
  const { errors } = collectDags({ default: dag }, 'd.ts');
  expect(errors).toEqual([]);
  return serialiseDag(dag);
};
const taskOf = (define: () => void, taskId: string) =>
  definitionOf(define).tasks.find((each) => each.taskId === taskId)!;

/** The refusal of a definition, when the file loads or when the DAG is complete. */
function refusal(define: () => void): string {
  try {
    const { errors } = collectDags({ default: new Dag({ id: 'd' }, define) }, 'd.ts');
    return errors.map(({ message }) => message).join('; ');
  } catch (error) {
    return (error as Error).message;
  }
}

const list = () => task('list', () => ['a', 'b']);

describe('a mapped operator', () => {
  it('says what it is mapped over, in the order of declaration', () => {
    const definition = definitionOf(() => {
      const paths = list()();
      Copy.partial({ id: 'copy', times: 2, mapIndexTemplate: '{{ from }}', retries: 1 }).expand({
        from: paths,
        to: ['x', 'y', 'z'],
      });
    });
    expect(definition.tasks.find(({ taskId }) => taskId === 'copy')).toMatchObject({
      operator: 'Copy',
      upstream: ['list'],
      inputs: ['list'],
      retries: 1,
      mapIndexTemplate: '{{ from }}',
      templateFields: ['from', 'to'],
      expand: {
        kind: 'product',
        over: [
          { name: 'from', length: { kind: 'output', taskId: 'list', path: [] } },
          { name: 'to', length: { kind: 'literal', length: 3 } },
        ],
      },
      args: { times: 2, from: '<output of list>', to: ['x', 'y', 'z'] },
    });
  });

  it('knows the length of a list of objects, also where one of them is an output', () => {
    const copy = taskOf(() => {
      const one = task('one', () => ({ from: 'a', to: 'b' }))();
      Copy.partial({ id: 'copy' }).expandKwargs([one, { from: 'c', to: 'd' }]);
    }, 'copy');
    expect(copy.expand).toEqual({ kind: 'kwargs', over: [{ name: '', length: { kind: 'literal', length: 2 } }] });
    expect(copy.upstream).toEqual(['one']);
  });

  it('shows the first of a long list to people', () => {
    const numbers = Array.from({ length: 100 }, (_, i) => String(i));
    const copy = taskOf(() => void Copy.partial({ id: 'copy', to: 'x' }).expand({ from: numbers }), 'copy');
    expect(copy.args['from']).toHaveLength(21);
    expect((copy.args['from'] as string[]).at(-1)).toBe('… 80 more');
  });

  it.each([
    [
      'a text',
      () => Copy.partial({ id: 'c', to: 'x' }).expand({ from: 'abc' as never }),
      "from is 'abc', which cannot be mapped over; allowed: a list, an object, or the output of a task",
    ],
    ['nothing', () => Copy.partial({ id: 'c', to: 'x', from: 'y' }).expand({}), 'expand() is given nothing'],
    [
      'what partial() gives too',
      () => Copy.partial({ id: 'c', to: 'x', from: 'y' }).expand({ to: ['z'] } as never),
      'to is unmappable or already specified: partial() gives it too',
    ],
    [
      'an attribute',
      () => Copy.partial({ id: 'c', to: 'x' }).expand({ from: ['y'], retries: [1] } as never),
      'retries cannot be mapped over; allowed: arguments of the operator, and params',
    ],
    [
      'a name that is no argument',
      () => Copy.partial({ id: 'c', to: 'x' }).expand({ form: ['y'] } as never),
      'form is not an attribute; did you mean from?',
    ],
    [
      'a fixed argument that is none',
      () => Copy.partial({ id: 'c', too: 'x' } as never).expand({ from: ['y'] } as never),
      'too is not an attribute',
    ],
    [
      'an item of the wrong kind',
      () => Copy.partial({ id: 'c', to: 'x' }).expand({ from: ['y', '', 'z'] }),
      "item 1: from is ''; allowed: a path",
    ],
    [
      'an argument that nothing gives',
      () => Copy.partial({ id: 'c' }).expand({ from: ['y'] } as never),
      'to is undefined; allowed: a path',
    ],
    [
      'an object that lacks one',
      () => Copy.partial({ id: 'c' }).expandKwargs([{ from: 'y', to: 'z' }, { from: 'y' } as never]),
      'item 1: to is undefined; allowed: a path',
    ],
    [
      'an item that is no object',
      () => Copy.partial({ id: 'c' }).expandKwargs([null as never]),
      'item 0 of expandKwargs() is null; allowed: an object of arguments',
    ],
    [
      'no list of objects',
      () => Copy.partial({ id: 'c' }).expandKwargs({ from: ['a'] } as never),
      'allowed: a list of objects, or the output of a task',
    ],
    ['no mapping at all', () => void Copy.partial({ id: 'c' }), 'partial() is followed by nothing'],
  ])('is refused over %s', (_, define, message) => {
    expect(refusal(() => void define())).toContain(message);
  });
});

describe('a mapped function', () => {
  it('takes lists in place of its arguments, or an object of them', () => {
    const definition = definitionOf(() => {
      const add = task('add', (_ctx, a: number, b: number) => a + b);
      add.expand([1, 2], [3]);
      const named = task('named', (_ctx, { a, b }: { a: number; b?: number }) => a + (b ?? 0));
      named.expand({ a: [1, 2] });
      named.partial({ b: 1 }).expandKwargs([{ a: 1 }]);
    });
    expect(
      definition.tasks.map(({ taskId, expand }) => [taskId, expand?.kind, expand?.over.map(({ name }) => name)]),
    ).toEqual([
      ['add', 'product', ['0', '1']],
      ['named', 'product', ['a']],
      ['named__1', 'kwargs', ['']],
    ]);
  });

  it('is checked by the compiler', () => {
    const define = (): void => {
      const add = task('add', (_ctx, { a, b }: { a: number; b: number }) => a + b);
      const texts = task('texts', () => ['x']);
      // @ts-expect-error b is missing
      add.expand({ a: [1] });
      // @ts-expect-error a is no text
      add.partial({ b: 1 }).expand({ a: ['x'] });
      // @ts-expect-error texts are no numbers
      add.partial({ b: 1 }).expand({ a: texts() });
      // @ts-expect-error there is no c
      add.partial({ c: 1 });
      add.partial({ b: 1 }).expand({ a: texts().map((text) => text.length) });
    };
    expect(define).toBeInstanceOf(Function);
  });

  it('measures what lists are made of', () => {
    const each = taskOf(() => {
      const [a, b] = [task('a', () => [1])(), task('b', () => ({ x: 1 }))()];
      const made = a
        .zip(b, { fillvalue: null })
        .concat([1, 2])
        .map((item) => item);
      task('each', (_ctx, item: unknown) => item).expand(made);
    }, 'each');
    const output = (taskId: string) => ({ kind: 'output', taskId, path: [] });
    expect(each.expand?.over[0]?.length).toEqual({
      kind: 'concat',
      of: [
        { kind: 'zip', of: [output('a'), output('b')], longest: true },
        { kind: 'literal', length: 2 },
      ],
    });
    expect(each.upstream).toEqual(['a', 'b']);
    expect(each.args['0']).toBe('<map of concat of zip of output of a, output of b, 2 items>');
  });

  it.each([
    ['a map() without a function', () => list()().map(1 as never), 'map() is given 1; allowed: a function of an item'],
    [
      'a zip() with a number',
      () => list()().zip(1 as never),
      'zip() is given 1; allowed: lists, objects and outputs of tasks',
    ],
    [
      'an output that is not stored',
      () => task('each', (_ctx, x: string) => x).expand(task('list', () => ['a'], { pushXcom: false })()),
      "'each' is mapped over the output of 'list', which has pushXcom: false",
    ],
    [
      'a part of what instances return together',
      () => {
        const mapped = task('m', (_ctx, x: string) => [x]).expand(['a']);
        task('each', (_ctx, x: string) => x).expand(mapped.get(0));
      },
      "'each' is mapped over a part of what the instances of 'm' return together",
    ],
  ])('refuses %s', (_, define, message) => {
    expect(refusal(() => define())).toContain(message);
  });
});

describe('a mapped group', () => {
  it('gives the tasks inside its arguments, and is after what it is mapped over', () => {
    const definition = definitionOf(() => {
      const names = list()();
      const group = taskGroup('g', { mapIndexTemplate: '{{ name }}' }).expand(
        { name: names, n: [1, 2] },
        ({ name, n }) => {
          const first = task('first', () => 0)();
          const second = task('second', (_ctx, text: string, times: number) => text.repeat(times))(name, n);
          first.to(second);
          taskGroup('inner').expandKwargs([{ x: 1 }], ({ x }) => void task('deep', (_ctx, value: number) => value)(x));
          return second;
        },
      );
      task('after', (_ctx, all: readonly string[]) => all.length)(group.result);
    });
    const byId = Object.fromEntries(definition.tasks.map((each) => [each.taskId, each]));
    expect(byId['g.first']).toMatchObject({ upstream: ['list'], inputs: [] });
    expect(byId['g.second']).toMatchObject({ upstream: ['g.first', 'list'], inputs: ['list'], group: 'g' });
    expect(byId['after']).toMatchObject({ upstream: ['g.second'] });
    expect(definition.groups).toMatchObject([
      { groupId: 'g', mapIndexTemplate: '{{ name }}', expand: { kind: 'product' } },
      { groupId: 'g.inner', parent: 'g', expand: { kind: 'kwargs', over: [{ name: '', length: { length: 1 } }] } },
    ]);
  });

  it.each([
    [
      'an argument outside of it',
      () => {
        let leaked: unknown;
        taskGroup('g').expand({ x: [1] }, ({ x }) => void (leaked = x));
        task('t', { x: leaked as number }, (_ctx, { x }) => x);
      },
      "the argument 'x' of group 'g' is used outside of it",
    ],
    [
      'a task that is mapped over its argument',
      () => {
        taskGroup('g').expand({ xs: [[1]] }, ({ xs }) => void task('t', (_ctx, x: number) => x).expand(xs));
      },
      "'g.t' is mapped over the argument 'xs' of the group around it, whose length is known to no task; allowed: the output of a task of the group that returns it",
    ],
    ['a group that is left open', () => void taskGroup('g'), 'the group has no definition'],
    ['a group over nothing', () => taskGroup('g').expand({}, () => 0), "group 'g': expand() is given nothing"],
  ])('refuses %s', (_, define, message) => {
    expect(refusal(() => define())).toContain(message);
  });
});
