/** Mapped tasks and groups on a whole platform. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { instanceKey } from '@rondo/domain';
import { Project, runPath, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);
let project: Project;
let served: Served;

const MAPPED = `import { BashOperator } from '@rondo/operators';
import { Dag, Skip, task, taskGroup } from '@rondo/sdk';

export default new Dag({ id: 'mapped', params: { words: ['a', 'bb', 'ccc'], size: 1 } }, () => {
  const words = task('words', (ctx) => (ctx.params.words as string[]).map((word) => word + 'x'.repeat(Number(ctx.params.size) - 1)));
  const list = words();
  const length = task(
    'length',
    (ctx, word: string) => {
      ctx.templates.set('letter', word[0]);
      if (word.startsWith('z')) throw new Error('no z');
      return word.length;
    },
    { mapIndexTemplate: '{{ letter }} of {{ ti.map_index }}' },
  ).expand(list);
  task('total', (ctx, lengths: readonly number[]) => lengths.reduce((sum, each) => sum + each, 0), { triggerRule: 'all_done' })(length);
  BashOperator.partial({ id: 'echo', env: { A: 'fixed' }, appendEnv: true }).expandKwargs(
    list.map((word) => {
      if (word.startsWith('b')) throw new Skip('no b');
      return { command: 'echo "$A ' + word + '"' };
    }),
  );
  const per = taskGroup('per').expand({ word: list }, ({ word }) => {
    const letters = task('letters', (ctx, text: string) => [...text].slice(0, 3))(word);
    const letter = task('letter', (ctx, { at, of }: { at: string; of: string }) => at + '@' + of).partial({ of: word }).expand({ at: letters });
    return task('joined', (ctx, all: readonly string[]) => all.join(' '))(letter);
  });
  task('end', { all: per.result }, async (ctx, { all }) => ({
    all,
    one: await ctx.xcom.pull('per.letter', { mapIndex: [2, 1] }),
    some: await ctx.xcom.pull('length', { mapIndexes: [2, 0] }),
    every: await ctx.xcom.pull('per.letter'),
  }));
});
`;
const BROKEN = `import { Dag, task } from '@rondo/sdk';

export default new Dag({ id: 'broken' }, () => {
  const number = task('number', () => 5 as unknown as string[]);
  task('each', (ctx, item: string) => item).expand(number());
  const list = task('list', () => [{ a: 1 }, null, { a: 3 }] as { a: number }[])();
  task('kwargs', (ctx, { a }: { a: number }) => a).expandKwargs(list);
});
`;

beforeAll(async () => {
  project = new Project();
  project.write('mapped.ts', MAPPED);
  project.write('broken.ts', BROKEN);
  served = await project.serve();
});

afterAll(async () => {
  await served?.platform.end();
  await project.remove();
});

const returned = async (runId: string, taskId: string, mapIndex = '', dagId = 'mapped'): Promise<unknown> => {
  const { items } = await served.get<Rows>(`${runPath(dagId, runId)}/tasks/${taskId}/xcoms?mapIndex=${mapIndex}`);
  return items.find((row) => row['key'] === 'return_value')?.['value'];
};

describe('a DAG of mapped tasks and groups', () => {
  it.each([
    ['short values', 1],
    ['values that lie in the blob store', 3_000],
  ])('runs an instance for each item, with %s', async (_, size) => {
    const run = await served.run('mapped', { conf: { size } });
    const runId = String(run['runId']);
    expect(run['state']).toBe('success');
    const more = size - 1;
    expect(await returned(runId, 'total')).toBe(6 + 3 * more);
    expect(await returned(runId, 'length', '2')).toBe(3 + more);
    const { items } = await served.get<Rows>(`${runPath('mapped', runId)}/tasks?taskId=length`);
    expect(items.map((row) => [row['mapIndex'], row['mapIndexName'], row['state']])).toEqual([
      ['0', 'a of 0', 'success'],
      ['1', 'b of 1', 'success'],
      ['2', 'c of 2', 'success'],
    ]);
    if (size > 1) return;
    expect(await returned(runId, 'echo', '0')).toBe('fixed a');
    const echo = await served.get<Rows>(`${runPath('mapped', runId)}/tasks?taskId=echo&state=skipped`);
    expect(echo.items.map((row) => [row['mapIndex'], row['reason']])).toEqual([['1', 'no b']]);
    expect(await returned(runId, 'end')).toEqual({
      all: ['a@a', 'b@bb b@bb', 'c@ccc c@ccc c@ccc'],
      one: 'c@ccc',
      some: [3, 1],
      every: ['a@a', 'b@bb', 'b@bb', 'c@ccc', 'c@ccc', 'c@ccc'],
    });
  });

  it('lists instances by map index and by name', async () => {
    const run = await served.run('mapped');
    const path = `${runPath('mapped', String(run['runId']))}/tasks`;
    const names = async (query: string): Promise<unknown[]> =>
      (await served.get<Rows>(`${path}?${query}`)).items.map((row: Row) =>
        instanceKey(String(row['taskId']), String(row['mapIndex']).split('.').map(Number)),
      );
    expect(await names('taskId=per.letter&under=2')).toEqual(['per.letter[2.0]', 'per.letter[2.1]', 'per.letter[2.2]']);
    expect(await names('name=C%20OF')).toEqual(['length[2]']);
  });

  it('names an instance that failed, and goes on without its value', async () => {
    const run = await served.run('mapped', { conf: { words: ['a', 'zz'] } });
    const runId = String(run['runId']);
    const failed = await served.get(`${runPath('mapped', runId)}/tasks/length?mapIndex=1`);
    expect(failed).toMatchObject({ state: 'failed', mapIndexName: 'z of 1' });
    expect(await returned(runId, 'total')).toBe(1);
  });

  it('skips what is mapped over nothing', async () => {
    const run = await served.run('mapped', { conf: { words: [] } });
    expect(run['state']).toBe('success');
    expect(await served.task('mapped', String(run['runId']), 'length')).toMatchObject({ state: 'skipped' });
  });
});

describe('what cannot be mapped over', () => {
  it('fails the task that returned it, or the instance that gets it', async () => {
    const run = await served.run('broken');
    const runId = String(run['runId']);
    expect(await served.task('broken', runId, 'number')).toMatchObject({
      state: 'failed',
      error: {
        type: 'UnmappableReturnValue',
        message: "'each' is mapped over what this task returns, which is a number; allowed: a list or an object",
      },
    });
    expect(await served.task('broken', runId, 'each')).toMatchObject({ state: 'upstream_failed' });
    const kwargs = await served.get<Rows>(`${runPath('broken', runId)}/tasks?taskId=kwargs`);
    expect(kwargs.items.map((row) => row['state'])).toEqual(['success', 'failed', 'success']);
    expect(kwargs.items[1]).toMatchObject({
      error: { message: 'expandKwargs() expects a list of objects, not a list with null (item 1 is null)' },
    });
    expect(await returned(runId, 'kwargs', '2', 'broken')).toBe(3);
  });
});
