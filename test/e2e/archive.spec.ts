/** Runs are archived and taken away; the platform goes on without them; and they come back as they were. */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { dataPaths } from '@rondo/adapter-embedded';
import { Project, rondo, runPath, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(240_000);

const WAITS = `import { ExternalTaskSensor } from '@rondo/operators';
import { Dag } from '@rondo/sdk';
const of = { externalDagId: 'kept', externalRunId: 'old' };
export default new Dag({ id: 'waits' }, () => {
  new ExternalTaskSensor({ id: 'for_the_run', ...of });
  new ExternalTaskSensor({ id: 'for_a_task', ...of, externalTaskIds: ['make'] });
});
`;

const DAG = `import { Dag, task } from '@rondo/sdk';
export default new Dag({ id: 'kept' }, () => {
  const make = task('make', (ctx) => { console.log('made by ' + ctx.run.runId); return ctx.run.runId.padEnd(60_000, '.'); })();
  task('take', (ctx, text) => text.length)(make);
});
`;

let project: Project;
let archives: string;
let served: Served;
let before: { readonly tasks: unknown; readonly events: unknown; readonly run: Row };

const path = runPath('kept', 'old');
const states = async (): Promise<Record<string, unknown>> =>
  Object.fromEntries((await served.get<Rows>('/dags/kept/runs')).items.map((run) => [run['runId'], run['state']]));
const cli = (...args: string[]) => rondo(...args, '--data', project.data);
const onDisk = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
const archive = (): string => join(archives, readdirSync(archives)[0]!);

beforeAll(async () => {
  project = new Project();
  archives = join(project.folder, 'archives');
  project.write('kept.ts', DAG);
  project.write('waits.ts', WAITS);
  served = await project.serve();
  await served.run('kept', { runId: 'old' });
  before = {
    tasks: await served.get(`${path}/tasks`),
    events: await served.get(`${path}/events`),
    run: await served.get(path),
  };
  await served.platform.end();
});
afterAll(() => project.remove());

describe('rondo archive', () => {
  it('is refused while a platform runs', async () => {
    served = await project.serve();
    const { code, err } = await cli('archive', 'runs', '--before', '2999-01-01', '--to', archives);
    expect(code).toBe(1);
    expect(err).toContain('is in use by');
    await served.platform.end();
  });

  it('finds nothing before a date on which nothing had ended', async () => {
    const { code, out } = await cli('archive', 'runs', '--before', '2020-01-01', '--to', archives);
    expect(code).toBe(0);
    expect(out).toContain('no run ended before 2020-01-01');
    expect(existsSync(archives)).toBe(false);
  });

  it('writes an archive, takes away what it holds, and leaves a history that is whole', async () => {
    const { blobs, logs } = dataPaths(project.data);
    const [blobsBefore, logsBefore] = [onDisk(blobs), onDisk(logs)];
    expect(logsBefore).toBeGreaterThan(0);
    const args = ['--before', '2999-01-01', '--dag', 'kept', '--to', archives, '--delete', '--json'];
    const { code, out, err } = await cli('archive', 'runs', ...args);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ archive: archive(), runs: 1, deleted: { blobs: 1 } });
    expect(onDisk(blobs)).toBe(blobsBefore - 1);
    expect(onDisk(logs)).toBe(0);
    expect((await cli('history', 'verify')).out).toContain('the history is whole');
    const listed = await rondo('archive', 'list', archives, '--json');
    expect(JSON.parse(listed.out)).toMatchObject([{ runs: [{ dagId: 'kept', runId: 'old' }] }]);
    // Nothing is left to take away.
    expect((await cli('archive', 'runs', ...args)).out).toBe('{"runs":0,"sealed":0}\n');
  });

  it('leaves the run in the lists, also of read models made anew, and lets nobody change it', async () => {
    const { reads } = dataPaths(project.data);
    for (const suffix of ['', '-wal', '-shm']) rmSync(reads + suffix, { force: true });
    served = await project.serve();
    await served.run('kept', { runId: 'new' });
    expect(await states()).toEqual({ old: 'success', new: 'success' });
    const { endedAt } = await served.get<Row>(path);
    expect(endedAt).toBe(before.run['endedAt']);
    await expect(served.post(`${path}/clear`, { taskIds: ['make'] })).rejects.toThrow(/archive/);
    await served.run('kept', { runId: 'newer' });
    await served.run('waits', { runId: 'w' });
    expect(await served.task('waits', 'w', 'for_the_run')).toMatchObject({ state: 'success' });
    expect(await served.task('waits', 'w', 'for_a_task')).toMatchObject({
      state: 'failed',
      error: { type: 'ExternalTaskNotFound', message: expect.stringContaining('restore its archive') },
    });
    await served.platform.end();
    expect((await cli('history', 'verify')).out).toContain('the history is whole');
  });

  it('is kept in a backup, and a stub that no signed archive covers is a fault', async () => {
    const copy = join(project.folder, 'copy');
    served = await project.serve();
    await served.post('/backup', { path: copy });
    await served.platform.end();
    expect((await rondo('history', 'verify', '--data', copy)).code).toBe(0);
    writeFileSync(dataPaths(copy).archives, '');
    const { code, out } = await rondo('history', 'verify', '--data', copy, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      faults: expect.arrayContaining([expect.objectContaining({ kind: 'missing', stream: 'dagRun-kept:old' })]),
    });
  });

  it('finds a hash of an archived event that was changed', async () => {
    const copy = join(project.folder, 'changed');
    served = await project.serve();
    await served.post('/backup', { path: copy });
    await served.platform.end();
    const db = new DatabaseSync(dataPaths(copy).events);
    db.exec("update archived set hash = replace(hash, substr(hash, 1, 5), 'AAAAA') where revision = 1");
    db.close();
    expect((await rondo('history', 'verify', '--data', copy)).code).toBe(1);
  });

  it('refuses to put back an archive that was changed', async () => {
    const events = join(archive(), 'events.jsonl');
    const text = await import('node:fs/promises').then(({ readFile }) => readFile(events, 'utf8'));
    writeFileSync(events, text.replace('RunStarted', 'RunStopped'));
    const { code, err } = await cli('archive', 'restore', archive());
    expect(code).toBe(1);
    expect(err).toContain('events.jsonl is changed');
    writeFileSync(events, text);
  });

  it('puts a run back as it was', async () => {
    const { code, out, err } = await cli('archive', 'restore', archive());
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toMatch(/1 runs of .* are back, with \d+ events/);
    expect((await cli('history', 'verify')).out).toContain('the history is whole');
    const { reads } = dataPaths(project.data);
    for (const suffix of ['', '-wal', '-shm']) rmSync(reads + suffix, { force: true });
    served = await project.serve();
    await served.dag('kept');
    expect(await served.get(`${path}/tasks`)).toEqual(before.tasks);
    expect(await served.get(`${path}/events`)).toEqual(before.events);
    expect(await served.log('kept', 'old', 'make')).toContain('made by old');
    expect(await served.xcom('kept', 'old', 'make')).toBe('old'.padEnd(60_000, '.'));
    await served.post(`${path}/clear`, { taskIds: ['take'] });
    await served.ended('kept', 'old');
    await served.platform.end();
  });
});
