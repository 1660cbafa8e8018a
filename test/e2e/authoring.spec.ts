/** A folder of DAG files that is worked on while the platform runs. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Project, runPath, until, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);
let project: Project;
let served: Served;

const slow = (word: string): string => `import { existsSync } from 'node:fs';
import { Dag, task } from '@rondo/sdk';

const WORD = '${word}';

export default new Dag({ id: 'slow' }, () => {
  const wait = task('wait', async () => {
    while (!existsSync(${JSON.stringify(join(project.folder, 'go'))})) await new Promise((resolve) => setTimeout(resolve, 50));
    return WORD;
  })();
  wait.to(task('say', (ctx) => ctx.log.info(WORD))());
});
`;
const helped = (id: string): string => `import { task, Dag } from '@rondo/sdk';
import { greeting } from './lib/words.ts';

export default new Dag({ id: '${id}' }, () => void task('greet', () => greeting('${id}')));
`;
const words = (word: string): string => `export const greeting = (name: string): string => '${word} ' + name;\n`;
const plain = `import { task, Dag } from '@rondo/sdk';

export default new Dag({ id: 'plain' }, () => void task('one', () => 1));
`;

beforeAll(async () => {
  project = new Project();
  project.write('slow.ts', slow('old'));
  project.write('first.ts', helped('first'));
  project.write('second.ts', helped('second'));
  project.write('lib/words.ts', words('hello'));
  project.write('plain.ts', plain);
  project.write('queries/answer.sql', 'select 41 as answer');
  project.write(
    'query.ts',
    `import { SqlOperator } from '@rondo/operators';
import { Dag } from '@rondo/sdk';

export default new Dag({ id: 'query' }, () => void new SqlOperator({ id: 'ask', connection: 'sqlite:///:memory:', sql: 'queries/answer.sql' }));
`,
  );
  for (const [place, name] of [
    ['', 'besides'],
    ['dags/', 'inside'],
  ] as const) {
    const folder = join(project.folder, place, 'node_modules', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name, version: '1.0.0', type: 'module', exports: './index.js' }),
    );
    writeFileSync(join(folder, 'index.js'), `export const name = '${name}';\n`);
  }
  project.write(
    'packages.ts',
    `import { name as beside } from 'besides';
import { name as inside } from 'inside';
import { CronExpressionParser } from 'cron-parser';
import { Dag, task } from '@rondo/sdk';

export default new Dag({ id: 'packages' }, () => void task('use', () => [beside, inside, typeof CronExpressionParser.parse]));
`,
  );
  served = await project.serve();
});
afterAll(() => project.remove());

const versions = async (dagId: string): Promise<readonly Row[]> =>
  (await served.get<Rows>(`/dags/${dagId}/versions`)).items;
const hasVersions = (dagId: string, count: number): Promise<unknown> =>
  until(`version ${count} of ${dagId}`, async () => (await versions(dagId)).length === count);
const answerOf = async (dagId: string, taskId: string): Promise<unknown> => {
  const run = await served.run(dagId);
  expect(run).toMatchObject({ state: 'success' });
  return served.xcom(dagId, String(run['runId']), taskId);
};

describe('a DAG file', () => {
  it('imports packages: of its own folder, of the project around it, of the installation', async () => {
    expect((await served.get<Rows>('/import-errors')).items).toEqual([]);
    expect(await answerOf('packages', 'use')).toEqual(['besides', 'inside', 'function']);
  });

  it('that is edited is a new version; a run that is under way ends with the one that it was created with', async () => {
    const runId = await served.trigger('slow');
    await served.taskIs('slow', runId, 'wait', 'running');
    project.write('slow.ts', slow('new'));
    await hasVersions('slow', 2);
    writeFileSync(join(project.folder, 'go'), '');
    const run = await served.ended('slow', runId);
    const [one, two] = await versions('slow');
    expect(run).toMatchObject({ state: 'success', version: one!['version'] });
    expect(await served.log('slow', runId, 'say')).toEqual(['old']);
    expect(await served.xcom('slow', runId, 'wait')).toBe('old');
    expect((await served.get(`/dags/slow/source?version=${String(one!['version'])}`))['text']).toContain(
      `WORD = 'old'`,
    );
    expect((await served.get('/dags/slow/source'))['text']).toContain(`WORD = 'new'`);

    const next = await served.run('slow');
    expect(next).toMatchObject({ state: 'success', version: two!['version'] });
    expect(await served.log('slow', String(next['runId']), 'say')).toEqual(['new']);
    // A task that is run again is one of the run's own version.
    await served.post(`${runPath('slow', runId)}/clear`, { taskIds: ['say'] });
    await until('the clear', async () => (await served.task('slow', runId, 'say'))['tryNumber'] === 2);
    await served.ended('slow', runId);
    expect(await served.log('slow', runId, 'say', 2)).toEqual(['old']);
  });

  it('is made of the files that it imports and names: a change of one is a new version of the DAGs that use it, and of no other', async () => {
    expect(await answerOf('first', 'greet')).toBe('hello first');
    project.write('lib/words.ts', words('goodbye'));
    await hasVersions('first', 2);
    await hasVersions('second', 2);
    expect(await answerOf('first', 'greet')).toBe('goodbye first');

    expect(await answerOf('query', 'ask')).toEqual([{ answer: 41 }]);
    project.write('queries/answer.sql', 'select 42 as answer');
    await hasVersions('query', 2);
    expect(await answerOf('query', 'ask')).toEqual([{ answer: 42 }]);

    project.write('first.ts', helped('first').replace(`'greet'`, `'hail'`));
    await hasVersions('first', 3);
    expect(await versions('second')).toHaveLength(2);
    for (const dagId of ['plain', 'packages']) expect(await versions(dagId)).toHaveLength(1);
  });

  it('that breaks keeps its version, and says so', async () => {
    project.write('plain.ts', `${plain}\nthrow new Error('not yet done');\n`);
    const errors = (): Promise<readonly Row[]> => served.get<Rows>('/import-errors').then(({ items }) => items);
    await until('the import error', async () => (await errors()).length > 0);
    expect(await errors()).toMatchObject([
      { file: 'plain.ts', line: 5, message: expect.stringContaining('not yet done') },
    ]);
    expect(served.platform.errors).toContain('import error  plain.ts:5  ');
    expect(await answerOf('plain', 'one')).toBe(1);
    project.write('plain.ts', plain);
    await until('its end', async () => (await errors()).length === 0);
    expect(await versions('plain')).toHaveLength(1);
  });

  it('that is removed retires its DAG, whose history stays', async () => {
    const before = await served.run('plain');
    const path = runPath('plain', String(before['runId']));
    rmSync(join(project.dags, 'plain.ts'));
    await until('the retirement', async () => (await served.get('/dags/plain'))['retired'] === true);
    const listed = (await served.get<Rows>('/dags')).items.map((row) => row['dagId']);
    expect(listed).not.toContain('plain');
    expect((await served.get<Rows>('/dags?includeRetired=true')).items.map((row) => row['dagId'])).toContain('plain');
    await expect(served.post('/dags/plain/runs')).rejects.toThrow(/409.*retired/);
    expect(await served.get(path)).toEqual(before);
    expect(await served.get(`${path}/tasks/one`)).toMatchObject({ state: 'success' });
    expect(await served.get(`${path}/tasks/one/xcoms/return_value`)).toMatchObject({ value: 1 });
    expect((await served.get<Rows>(`${path}/events`)).items.map((event) => event['type'])).toContain('RunSucceeded');
    expect((await served.get('/dags/plain/source'))['text']).toBe(plain);
    expect(await served.get<Rows>('/dags/plain/runs')).toMatchObject({ total: 2 });

    project.write('plain.ts', plain);
    await until('its return', async () => (await served.get('/dags/plain'))['retired'] === false);
    expect(await answerOf('plain', 'one')).toBe(1);
  });
});
