/** A sealed run: its values are nowhere in clear in the history, and nowhere at all once it is erased. */
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Project, read, rondo, runPath, until, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(180_000);

const SECRET = 'Wilhelmina-Q-7731';

const PEOPLE = `import { ApprovalOperator, BashOperator, TriggerDagRunOperator } from '@rondo/operators';
import { Asset, Dag, Skip, task } from '@rondo/sdk';

const list = new Asset('list');

export default new Dag({ id: 'people', sealed: true, maxActiveTasks: 4 }, () => {
  const who = task('who', (ctx) => {
    ctx.log.info('about ' + ctx.conf.name);
    ctx.outletEvents.get(list).extra = { who: ctx.conf.name };
    return { name: ctx.conf.name };
  }, { outlets: list })();
  task('large', { who }, (_ctx, { who }) => (who.name + ' ').repeat(5_000));
  new BashOperator({ id: 'show', command: 'echo {{ dag_run.conf["name"] }}' }).from(who);
  task('fails', { who }, (_ctx, { who }) => { throw new Error('no such person: ' + who.name); });
  task('skips', { who }, (_ctx, { who }) => { throw new Skip('not for ' + who.name); });
  task('each', (_ctx, { person }) => person.length, { mapIndexTemplate: '{{ person }}' })
    .expand({ person: task('all', { who }, (_ctx, { who }) => [who.name, who.name + ' II']) });
  new ApprovalOperator({ id: 'approve', subject: 'May {{ dag_run.conf["name"] }} in?', body: 'For {{ dag_run.conf["name"] }}.', form: { why: 'none' } }).from(who);
  new TriggerDagRunOperator({ id: 'tell', triggerDagId: 'told', triggerRunId: 'told', conf: { name: '{{ dag_run.conf["name"] }}' }, waitForCompletion: true }).from(who);
});
`;
const TOLD = `import { Dag, task } from '@rondo/sdk';
export default new Dag({ id: 'told' }, () => void task('hear', (ctx) => ctx.conf.name.length));
`;

/** Files below the folder in which the text stands, in clear, or as base64 or hex. What goes meanwhile has nothing. */
function filesWith(folder: string, text: string): string[] {
  const forms = [text, Buffer.from(text).toString('base64').slice(0, -4), Buffer.from(text).toString('hex')];
  return filesIn(folder).filter((file) => {
    const bytes = read(file);
    return forms.some((form) => bytes.includes(form));
  });
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesIn(path) : entry.isFile() ? [path] : [];
    });
  } catch {
    return [];
  }
}

describe('a sealed run', () => {
  let project: Project;
  let served: Served;
  let run: Row;
  let oldKeys: string;
  const of = (path = ''): string => runPath('people', 'p1') + path;
  const refusal = (path: string, body?: object): Promise<string> =>
    (body === undefined ? served.get(path) : served.post(path, body)).then(
      () => 'accepted',
      (error: unknown) => String(error),
    );

  beforeAll(async () => {
    project = new Project();
    oldKeys = join(project.folder, 'old-keys.db');
    project.write('people.ts', PEOPLE);
    project.write('told.ts', TOLD);
    served = await project.serve();
    const runId = await served.trigger('people', { runId: 'p1', conf: { name: SECRET }, note: `for ${SECRET}` });
    await served.taskIs('people', runId, 'approve', 'deferred');
    await served.post('/approvals/people/p1/approve', { options: ['Approve'], params: { why: `it is ${SECRET}` } });
    run = await served.ended('people', runId);
  });
  afterAll(() => project.remove());

  it('works as any other, and shows its values', async () => {
    expect(run).toMatchObject({ state: 'failed', sealed: true, erasedAt: null, conf: { name: SECRET } });
    expect(run['note']).toBe(`for ${SECRET}`);
    expect(await served.xcom('people', 'p1', 'who')).toEqual({ name: SECRET });
    expect(String(await served.xcom('people', 'p1', 'large'))).toHaveLength(90_000);
    expect(await served.task('people', 'p1', 'fails')).toMatchObject({
      error: { message: `no such person: ${SECRET}` },
    });
    expect(await served.task('people', 'p1', 'skips')).toMatchObject({ reason: `not for ${SECRET}` });
    const mapped = await served.get<Rows>(of('/tasks?taskId=each'));
    expect(mapped.items.map((row) => row['mapIndexName'])).toEqual([SECRET, `${SECRET} II`]);
    expect(await served.get(of('/tasks/show/rendered'))).toMatchObject({ fields: { command: `echo ${SECRET}` } });
    const events = await served.get<Rows>(of('/events?limit=1000'));
    expect(JSON.stringify(events)).toContain(SECRET);
    const { items } = await served.get<Rows>('/assetEvents?name=list');
    expect(items).toMatchObject([{ extra: { who: SECRET } }]);
    const then = await served.get(of(`?asOf=${String(events.items.at(-1)!['position'])}`));
    expect(then).toMatchObject({ conf: { name: SECRET } });
  });

  it('seals a run that it asks for', async () => {
    expect(await served.get(runPath('told', 'told'))).toMatchObject({ sealed: true, state: 'success' });
  });

  it('has its values in clear nowhere but in its logs', () => {
    const found = filesWith(project.data, SECRET).filter((file) => !file.startsWith(join(project.data, 'logs')));
    expect(found).toEqual([]);
  });

  it('is not erased without --yes, nor one that was not sealed', async () => {
    expect(await rondo('runs', 'erase', 'people', 'p1', '--url', served.url)).toMatchObject({ code: 2 });
    expect((await served.get(of()))['erasedAt']).toBeNull();
  });

  it('is erased: no byte of its values is left in the data folder', async () => {
    copyFileSync(join(project.data, 'run-keys.db'), oldKeys);
    const done = await rondo('runs', 'erase', 'people', 'p1', '--yes', '--url', served.url);
    expect(done).toMatchObject({ code: 0, out: expect.stringContaining('is erased') });
    await served.post(runPath('told', 'told') + '/erase');
    expect(filesWith(project.data, SECRET)).toEqual([]);
  });

  it('is still there, and says plainly what is gone', async () => {
    const gone = await served.get(of());
    expect(gone).toMatchObject({ state: 'failed', conf: { $erased: true }, note: '(erased)' });
    expect(gone['erasedAt']).toEqual(expect.any(Number));
    expect(await served.task('people', 'p1', 'fails')).toMatchObject({
      state: 'failed',
      error: { kind: 'exception', message: '(erased)' },
    });
    expect((await served.get<Rows>(of('/tasks?taskId=each'))).items.map((row) => row['mapIndexName'])).toEqual([
      '(erased)',
      '(erased)',
    ]);
    for (const path of ['/tasks/who/xcoms', '/tasks/who/xcoms/return_value', '/xcoms', '/tasks/show/rendered'])
      expect(await refusal(of(path))).toMatch(/410 .*run 'p1' of DAG 'people' was erased at/);
    expect(await refusal(of('/tasks/who/log'))).toMatch(/410 .*its logs are gone/);
    const events = await served.get<Rows>(of('/events?limit=1000'));
    expect(events.items.at(-1)).toMatchObject({ type: 'RunErased', data: { runId: 'p1', by: 'user:local' } });
    expect(events.items.find((event) => event['type'] === 'RunStarted')).toMatchObject({
      data: { conf: { $erased: true } },
      meta: { seal: '1' },
    });
    expect(await served.get(of(`?asOf=${String(events.items.at(-2)!['position'])}`))).toMatchObject({
      conf: { $erased: true },
      erasedAt: null,
    });
    expect((await served.get<Rows>('/assetEvents?name=list')).items).toMatchObject([{ extra: { $erased: true } }]);
    expect((await served.get<Rows>('/approvals?dagId=people')).items).toMatchObject([
      { subject: '(erased)', response: { chosenOptions: ['(erased)'], params: { $erased: true } } },
    ]);
    const shown = await rondo('history', 'show', 'people', 'p1', '--url', served.url);
    expect(shown.out).toContain('RunErased');
    const xcom = await rondo('xcoms', 'list', 'people', 'p1', 'who', '--url', served.url);
    expect(xcom).toMatchObject({ err: expect.stringContaining('was erased at') });
    expect(xcom.code).not.toBe(0);
  });

  it('cannot be changed or run again, and being erased again changes nothing', async () => {
    expect(await refusal(of('/clear'), {})).toMatch(/409 .*run 'p1' was erased at .*are gone, so it stays as it is/);
    expect(await refusal(of('/mark'), { state: 'success' })).toMatch(/409/);
    const before = await served.get(of());
    expect(await served.post(of('/erase'))).toEqual(before);
  });

  it('verifies, and stays erased when everything is folded anew', async () => {
    const before = await served.get(of());
    await served.platform.end();
    expect(await rondo('history', 'verify', '--data', project.data)).toMatchObject({ code: 0 });
    const offline = await rondo('history', 'show', 'people', 'p1', '--offline', '--data', project.data);
    expect(offline.out).toContain('$erased');
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(project.data, `reads.db${suffix}`), { force: true });
    served = await project.serve();
    expect(await until('the rows', () => served.get(of()).catch(() => undefined))).toEqual(before);
    expect(filesWith(project.data, SECRET)).toEqual([]);
  });

  it('is erased again at the start when its key has come back with an old copy', async () => {
    await served.platform.end();
    const keys = join(project.data, 'run-keys.db');
    copyFileSync(oldKeys, keys);
    const old = new DatabaseSync(keys, { readOnly: true });
    const held = old.prepare('select key from run_keys where key is not null').all() as { readonly key: string }[];
    old.close();
    expect(held).toHaveLength(2);
    served = await project.serve();
    await until('the end of its keys', () => Promise.resolve(held.every(({ key }) => !read(keys).includes(key))));
    expect(await served.get(of())).toMatchObject({ conf: { $erased: true } });
    expect(await served.get(runPath('told', 'told'))).toMatchObject({ conf: { $erased: true } });
  });

  it('that has not ended is not erased', async () => {
    const runId = await served.trigger('people', { runId: 'p2', conf: { name: SECRET } });
    const refused = await refusal(runPath('people', runId) + '/erase', {});
    expect(refused).toMatch(/409 .*run 'p2' has not ended \(active\): .*abort it/);
  });
});
