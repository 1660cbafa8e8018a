/** What a platform owes to its history: it goes on after it was killed, answers the same after it has lost the rest, and keeps secrets. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { isAlive, Project, read, rondo, runPath, until, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);
const PASSWORD = 'hunter-two-and-a-half';
const TOKEN = 'token-of-esteem-4711';
const EXTRA = 'extra-ordinary-0815';

let project: Project;
let served: Served;

beforeAll(async () => {
  project = new Project();
  const go = join(project.folder, 'go');
  const bodies = JSON.stringify(join(project.folder, 'bodies.log'));
  project.write(
    'work.ts',
    `import { appendFileSync, existsSync } from 'node:fs';
import { BashOperator } from '@rondo/operators';
import { Dag, FailNow, task } from '@rondo/sdk';

export default [
  new Dag({ id: 'short', params: { word: 'hello' } }, () => {
    const say = new BashOperator({ id: 'say', command: 'echo {{ params.word }} {{ run_id }}', retries: 1 });
    say.to(task('fail', () => { throw new FailNow('never ever'); })());
    say.to(task('count', (ctx) => { ctx.log.info('counting'); return [1, 2, 3]; })());
  }),
  new Dag({ id: 'long' }, () => {
    const first = task('first', (ctx) => appendFileSync(${bodies}, 'first ' + ctx.ti.attemptId + '\\n'))();
    const body = task('body', async (ctx) => {
      appendFileSync(${bodies}, 'body ' + ctx.ti.attemptId + '\\n');
      while (!existsSync('${go}')) await new Promise((resolve) => setTimeout(resolve, 50));
    })();
    const shell = new BashOperator({ id: 'shell', command: 'echo child $$; setsid sleep 86400 & echo child $!; while [ ! -e ${go} ]; do sleep 0.1; done; kill $!' });
    first.to([body, shell]).to(task('last', () => 'done')());
  }),
  new Dag({ id: 'secretive' }, () => {
    task('look', async (ctx) => {
      const { password, extra } = await ctx.connections.get('store');
      const token = await ctx.variables.get('api_token');
      console.log('printed ' + password + ' and ' + token);
      console.error(JSON.stringify({ password, extra }));
      ctx.log.info('logged', { token });
      throw new Error('refused with ' + password + ' and ' + token);
    });
    new BashOperator({ id: 'shell', command: 'echo shell {{ conn.store.password }} {{ var.value.api_token }}; echo ok' });
  }),
];
`,
  );
  served = await project.serve({ args: ['--no-run', '--port', '0', '--workers', '3'] });
});
afterAll(() => project.remove());

/** All that the API tells of what is over. */
async function answers(platform: Served): Promise<Row> {
  const told: Record<string, unknown> = {};
  const tell = async (path: string): Promise<unknown> => (told[path] = await platform.get(path));
  for (const path of ['/dags?includeRetired=true', '/variables', '/connections', '/import-errors']) await tell(path);
  for (const dagId of ['short', 'secretive']) {
    await tell(`/dags/${dagId}`);
    await tell(`/dags/${dagId}/versions`);
    const { items } = (await tell(`/dags/${dagId}/runs`)) as Rows;
    for (const run of items) {
      const path = runPath(dagId, String(run['runId']));
      for (const part of ['', '/xcoms', '/events']) await tell(path + part);
      for (const row of ((await tell(`${path}/tasks`)) as Rows).items)
        for (const part of [
          '',
          '/tries',
          '/xcoms',
          '/log',
          ...(row['operator'] === 'BashOperator' ? ['/rendered'] : []),
        ])
          await tell(`${path}/tasks/${String(row['taskId'])}${part}`);
    }
  }
  return told;
}

/** Files that hold a text as it is, or as base64. */
function filesWith(folder: string, text: string): readonly string[] {
  const forms = [text, Buffer.from(text).toString('base64').replace(/=+$/, '')];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesWith(path, text);
    return entry.isFile() && forms.some((form) => read(path).includes(form)) ? [path] : [];
  });
}

describe('a platform', () => {
  let longRun: string;
  let before: Row;

  it('shows a secret nowhere: not in an answer, not in a log, not in a file', async () => {
    const connection = {
      connId: 'store',
      connType: 'http',
      host: 'example.org',
      login: 'mara',
      password: PASSWORD,
      extra: { secret_key: EXTRA },
    };
    const shown = [
      await served.post('/connections', connection),
      await served.post('/variables', { key: 'api_token', value: TOKEN }),
    ];
    expect(shown).toMatchObject([
      { connId: 'store', login: 'mara' },
      { key: 'api_token', value: '***', masked: true },
    ]);
    const run = await served.run('secretive');
    const path = runPath('secretive', String(run['runId']));
    const log = await served.log('secretive', String(run['runId']), 'look');
    expect(log).toContain('printed *** and ***');
    expect(await served.log('secretive', String(run['runId']), 'shell')).toContain('shell *** ***');
    expect(await served.task('secretive', String(run['runId']), 'look')).toMatchObject({
      state: 'failed',
      error: { message: 'refused with *** and ***' },
    });
    expect(await served.get(`${path}/tasks/shell/rendered`)).toMatchObject({
      fields: { command: 'echo shell *** ***; echo ok' },
    });
    for (const secret of [PASSWORD, TOKEN, EXTRA]) {
      expect(JSON.stringify([shown, await answers(served)])).not.toContain(secret);
      expect(filesWith(project.data, secret)).toEqual([]);
    }
    expect((await served.get('/variables/api_token?reveal=true'))['value']).toBe(TOKEN);
  });

  it('goes on after it was killed: what was under way is lost and runs again, what was over does not', async () => {
    await served.run('short', { conf: { word: 'one' } });
    await served.run('short', { conf: { word: 'two' } });
    longRun = await served.trigger('long');
    const rows = await Promise.all(
      ['body', 'shell'].map((taskId) => served.taskIs('long', longRun, taskId, 'running')),
    );
    const said = await until('the pids of the shell', async () => {
      const log = await served.log('long', longRun, 'shell');
      return log.length >= 2 && log;
    });
    const pids = [
      ...rows.map((row) => row['pid'] as number),
      ...said.map((line) => Number(/^child (\d+)$/.exec(line)![1])),
    ];
    expect(pids.map((pid) => [pid, isAlive(pid)])).toEqual(pids.map((pid) => [pid, true]));
    before = await answers(served);

    served.platform.kill('SIGKILL');
    await served.platform.exited;
    // All but one end with it; that one has left its group, and ends when the next start finds it.
    await until('the end of the children', async () => !pids.slice(0, 3).some(isAlive));
    writeFileSync(join(project.folder, 'go'), '');
    served = await project.serve();
    expect(pids.filter(isAlive)).toEqual([]);

    expect(await served.ended('long', longRun)).toMatchObject({ state: 'success' });
    const { items } = await served.get<Rows>(`${runPath('long', longRun)}/events?limit=1000`);
    const lost = items.filter((event) => event['type'] === 'TaskLost').map((event) => (event['data'] as Row)['taskId']);
    expect(lost.toSorted()).toEqual(['body', 'shell']);
    for (const taskId of ['body', 'shell'])
      expect(await served.task('long', longRun, taskId)).toMatchObject({ state: 'success', tryNumber: 1, leg: 2 });
    const bodies = readFileSync(join(project.folder, 'bodies.log'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    expect(bodies).toEqual(['first', 'body', 'body']);
    expect(await answers(served)).toEqual(before);
  });

  it('answers the same without its read models and snapshots', async () => {
    before = { ...(await answers(served)), long: await served.get(`${runPath('long', longRun)}/tasks`) };
    expect(await served.platform.end()).toBe(0);
    const gone = readdirSync(project.data).filter((name) => /^(reads|snapshots)\.db/.test(name));
    expect(gone).toEqual(expect.arrayContaining(['reads.db', 'snapshots.db']));
    for (const name of gone) rmSync(join(project.data, name));
    served = await project.serve();
    expect({ ...(await answers(served)), long: await served.get(`${runPath('long', longRun)}/tasks`) }).toEqual(before);
  });

  it('is backed up while it runs; the copy verifies, starts, and is a platform of its own', async () => {
    rmSync(join(project.folder, 'go'));
    const open = await served.trigger('long');
    const { pid } = await served.taskIs('long', open, 'body', 'running');
    const backup = join(project.folder, 'backup');
    const restored = join(project.folder, 'restored');
    expect(await rondo('backup', backup, '--data', project.data)).toMatchObject({ code: 0, err: '' });
    expect(readdirSync(backup)).not.toContain('reads.db');
    expect(await rondo('backup', backup, '--data', project.data)).toMatchObject({
      code: 1,
      err: expect.stringContaining('is not empty'),
    });
    expect(await rondo('restore', backup, '--data', restored)).toMatchObject({ code: 0, err: '' });
    expect(await rondo('history', 'verify', '--data', restored)).toMatchObject({ code: 0 });

    const copy = await project.serve({ data: restored });
    const { long: _, ...finished } = before;
    expect(await answers(copy)).toEqual(finished);
    expect((await copy.get('/variables/api_token?reveal=true'))['value']).toBe(TOKEN);
    // The copy has lost sight of what runs, which goes on where it was.
    expect(isAlive(pid as number)).toBe(true);
    writeFileSync(join(project.folder, 'go'), '');
    for (const platform of [served, copy])
      expect(await platform.ended('long', open)).toMatchObject({ state: 'success' });
    expect(await served.task('long', open, 'body')).toMatchObject({ leg: 1 });
    expect(await copy.platform.end()).toBe(0);
    expect(await served.platform.end()).toBe(0);
    for (const folder of [project.data, restored, backup])
      for (const secret of [PASSWORD, TOKEN, EXTRA]) expect(filesWith(folder, secret)).toEqual([]);
    expect(await project.leftovers()).toEqual([]);
  });
});

describe('a full disk', () => {
  it('is said, damages nothing, and what was under way goes on when there is room again', async () => {
    const data = join(project.folder, 'full');
    project.write(
      'bulky.ts',
      `import { Dag, task } from '@rondo/sdk';

export default new Dag({ id: 'bulky', maxActiveTasks: 20 }, () => { for (let i = 0; i < 200; i++) task('t' + i, () => 'x'.repeat(10_000)); });
`,
    );
    const full = await project.serve({ data, fileLimitKiB: 1_000 });
    const runId = await full.trigger('bulky');
    await until('the complaint', async () => full.platform.errors.includes('a full disk, a file size limit'));
    expect(full.platform.errors).toContain(join(data, 'events.db'));
    full.platform.kill('SIGKILL');
    await full.platform.exited;
    expect(await rondo('history', 'verify', '--data', data)).toMatchObject({ code: 0 });
    const roomy = await project.serve({ data });
    expect(await roomy.ended('bulky', runId)).toMatchObject({ state: 'success' });
    expect(await roomy.platform.end()).toBe(0);
    expect(await rondo('history', 'verify', '--data', data)).toMatchObject({ code: 0 });
  });
});
