import { serialiseDag } from '../runtime/index.ts';
import { Dag, dag, task, TaskGroup, taskGroup, type DagOptions } from './index.ts';

const declared = (define: () => unknown, options: Partial<DagOptions> = {}): Dag =>
  new Dag({ id: 'd', ...options }, define);
const definition = (define: () => unknown, options: Partial<DagOptions> = {}) => {
  const made = declared(define, options);
  expect(made.complete().map(String)).toEqual([]);
  return serialiseDag(made);
};
const problems = (define: () => unknown): string =>
  declared(define)
    .complete()
    .map((error) => error.message)
    .join('\n');
const noop = (id: string, options: object = {}) => task(id, () => 1, options);

describe('retries of groups and runs', () => {
  it('are kept with the definition', () => {
    const made = definition(
      () => {
        taskGroup('load', { retries: 2, retryDelay: '1m', displayName: 'Load all' }, () => void noop('a'));
        taskGroup('plain', () => void noop('b'));
      },
      { runRetries: 1, runRetryDelay: '10m', runRetryMode: 'all' },
    );
    expect(made.groups).toEqual([
      { groupId: 'load', displayName: 'Load all', retries: 2, retryDelayMs: 60_000 },
      { groupId: 'plain' },
    ]);
    expect(made).toMatchObject({ runRetries: 1, runRetryDelayMs: 600_000, runRetryMode: 'all' });
    expect(definition(() => noop('a'))).not.toHaveProperty('runRetries');
  });

  it.each<[string, () => unknown, string]>([
    [
      'tries of a group',
      () => taskGroup('g', { retries: -1 }, () => noop('a')),
      'retries is -1; allowed: a whole number',
    ],
    [
      'a mode',
      () => dag('e', { runRetryMode: 'some' as never }, () => noop('a')),
      "runRetryMode is 'some'; allowed: one of",
    ],
  ])('are refused with wrong %s', (_, define, message) => {
    expect(() => declared(define)).toThrow(message);
  });

  it('are refused where something outside stands between two tasks of the group', () => {
    expect(
      problems(() => {
        const outside = noop('outside');
        const group = new TaskGroup({ id: 'g', retries: 1 }, () => {
          const [a, b] = [noop('a'), noop('b')];
          a.to(outside).to(b);
        });
        return group;
      }),
    ).toContain("(group 'g'), waits for all of it, and here in a circle");
  });

  it('are refused where a setup is inside and its teardown is not', () => {
    expect(
      problems(() => {
        const drop = noop('drop')();
        taskGroup('g', { retries: 1 }, () => {
          const create = noop('create')();
          drop.asTeardown({ setups: create });
        });
      }),
    ).toContain(
      "group 'g' is retried as a whole, and of the setup 'g.create' and its teardown 'drop' one is in it and one is not; allowed: both or neither",
    );
  });
});

describe('a fallback', () => {
  it('comes after what it stands for: of groups the roots after the leaves', () => {
    const made = definition(() => {
      const stored = taskGroup('stored', () => noop('open').to(noop('read')));
      taskGroup('live', { fallback: stored }, () => noop('fetch').to([noop('check'), noop('save')]));
      noop('main', { fallback: 'cached' });
      noop('cached');
    });
    const upstream = Object.fromEntries(made.tasks.map((each) => [each.taskId, each.upstream]));
    expect(upstream).toMatchObject({
      'stored.open': ['live.check', 'live.save'],
      'stored.read': ['stored.open'],
      cached: ['main'],
    });
    expect(made.groups.find(({ groupId }) => groupId === 'live')).toMatchObject({ fallback: 'stored' });
    expect(made.tasks.find(({ taskId }) => taskId === 'main')).toMatchObject({ fallback: 'cached' });
  });

  it('may be a function task that is called with what it takes, before or after', () => {
    const made = definition(() => {
      const rows = task('rows', () => [1]);
      const cached = task('cached', (_ctx, list: readonly number[]) => list.length);
      const main = task('main', () => 2, { fallback: cached });
      const source = rows();
      cached(source);
      main();
    });
    expect(made.tasks.map(({ taskId, upstream }) => [taskId, upstream])).toEqual([
      ['rows', []],
      ['cached', ['main', 'rows']],
      ['main', []],
    ]);
  });

  it.each<[string, () => unknown, string]>([
    ['is not there', () => noop('a', { fallback: 'b' }), "the fallback 'b' of task 'a' is no task or group of the DAG"],
    ['is itself', () => noop('a', { fallback: 'a' }), "the fallback 'a' of task 'a' is not beside it"],
    [
      'is in another group',
      () => {
        taskGroup('g', () => noop('b'));
        noop('a', { fallback: 'g.b' });
      },
      "the fallback 'g.b' of task 'a' is not beside it; allowed: a task or group in the same group",
    ],
    [
      'stands for two',
      () => {
        noop('c');
        noop('a', { fallback: 'c' });
        noop('b', { fallback: 'c' });
      },
      "the fallback 'c' of task 'a' stands for another one already; allowed: a fallback for each",
    ],
    [
      'comes after what waits for it',
      () => {
        const [after, cached] = [noop('after'), noop('cached')];
        noop('a', { fallback: cached }).to(after).to(cached);
      },
      'waits for all of it, and here in a circle',
    ],
    [
      'is a teardown',
      () => {
        noop('t')().asTeardown();
        noop('a', { fallback: 't' });
      },
      "task 'a' or its fallback 't' is a setup or teardown; allowed: neither of them",
    ],
  ])('is refused when it %s', (_, define, message) => {
    expect(problems(define)).toContain(message);
  });
});
