import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APPS, ERROR_LIMITS } from '../../dags/monitor_errors/apps.ts';
import { ErrorsTable } from '../../dags/monitor_errors/errors-table.ts';
import { download, withLogServer } from '../../dags/monitor_errors/log-server.ts';
import { errorsOf, type ErrorRecord } from '../../dags/monitor_errors/records.ts';
import { findAlerts, renderHtml } from '../../dags/monitor_errors/report.ts';
import { readErrors, runFolder, writeErrors } from '../../dags/monitor_errors/run-folder.ts';
import { DatabaseSync } from 'node:sqlite';

const example = join(import.meta.dirname, '../../dags/monitor_errors');

const error = (message: string, more: Partial<ErrorRecord> = {}): ErrorRecord => ({
  app: 'mainApp',
  format: 'level',
  time: '2026-03-14T07:43:06',
  level: 'ERROR',
  component: 'a.B',
  message,
  line: 1,
  details: [],
  ...more,
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rondo-example-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('log server', () => {
  it('serves a log over HTTP, and is gone afterwards', async () => {
    await writeFile(join(folder, 'mainApp.log'), 'one\ntwo\n');
    let address = '';
    const found = await withLogServer(folder, (url) => {
      address = url;
      return download(`${url}/mainApp.log`, join(folder, 'work/copy.log'));
    });
    expect(found).toBe(true);
    expect(await readFile(join(folder, 'work/copy.log'), 'utf8')).toBe('one\ntwo\n');
    await expect(fetch(`${address}/mainApp.log`)).rejects.toThrow('fetch failed');
  });

  it('says that a log is not there, and serves nothing but logs of its folder', async () => {
    await writeFile(join(folder, 'secret.txt'), 'x');
    const found = await withLogServer(folder, async (url) => [
      await download(`${url}/mainApp.log`, join(folder, 'copy')),
      await download(`${url}/secret.txt`, join(folder, 'copy')),
      await download(`${url}/..%2Fx.log`, join(folder, 'copy')),
    ]);
    expect(found).toEqual([false, false, false]);
    expect(await readdir(folder)).toEqual(['secret.txt']);
  });

  it('ends with the error of its user', async () => {
    await expect(withLogServer(folder, () => Promise.reject(new Error('stop')))).rejects.toThrow('stop');
  });
});

describe('errors table', () => {
  it('counts by hour and by template, and a second fill repeats nothing', async () => {
    const file = join(folder, 'errors.db');
    const db = new DatabaseSync(file);
    db.exec(await readFile(join(example, 'create_table.sql'), 'utf8'));
    db.close();
    using table = new ErrorsTable(file);
    const errors = [
      error('order 1 lost'),
      error('order 2 lost', { time: '2026-03-14T08:00:00' }),
      error('no disk', { app: 'extApp', time: null }),
    ];
    table.replaceAll(errors);
    table.replaceAll(errors);
    expect(table.errorsByHour()).toEqual([
      { app: 'extApp', hour: null, errors: 1 },
      { app: 'mainApp', hour: '2026-03-14T07', errors: 1 },
      { app: 'mainApp', hour: '2026-03-14T08', errors: 1 },
    ]);
    expect(table.topTemplates(5)).toEqual([
      { app: 'mainApp', template: 'order <num> lost', count: 2 },
      { app: 'extApp', template: 'no disk', count: 1 },
    ]);
    expect(table.topTemplates(1)).toHaveLength(1);
  });
});

describe('report', () => {
  const report = {
    errorsByApp: { mainApp: 2, extApp: 0 },
    errorsByHour: [{ app: 'mainApp', hour: null, errors: 2 }],
    topTemplates: [{ app: 'mainApp', template: '<script>alert("x")</script>', count: 2 }],
  };

  it('escapes what comes from a log', () => {
    const html = renderHtml(report, 'Errors & more');
    expect(html).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;');
    expect(html).not.toContain('<script>');
    expect(html).toContain('<h1>Errors &amp; more</h1>');
    expect(html).toContain('<td>extApp</td><td class="n">0</td>');
  });

  it('raises an alert only over the limit', () => {
    expect(findAlerts({ a: 3, b: 2, c: 9 }, { a: 2, b: 2 })).toEqual([{ app: 'a', errors: 3, limit: 2 }]);
  });
});

describe('run folder', () => {
  it('is inside the temporary folder whatever the run id', () => {
    const path = runFolder('manual__2026-03-14T07:43:06+00:00/../x');
    expect(path.startsWith(join(tmpdir(), 'rondo-monitor-errors/manual__2026-03-14T07_43_06_00_00_'))).toBe(true);
    expect(path.slice(tmpdir().length + 1).split('/')).toHaveLength(2);
  });

  it('keeps errors as they are', async () => {
    const errors = [error('a\nb', { details: ['x'] }), error('c')];
    await writeErrors(join(folder, 'errors'), errors);
    expect(await readErrors(join(folder, 'errors'))).toEqual(errors);
  });
});

describe('the logs that ship with the example', () => {
  it.each([
    ['securityApp', 0],
    ['mainApp', 10],
    ['extApp', 24],
    ['timeApp', 5],
    ['tokenApp', 8],
    ['bridgeApp', 7],
    ['daemonApp', 0],
    ['notificationApp', 7],
    ['messageApp', 5],
  ])('%s has %i errors', async (app, count) => {
    const log = await readFile(join(example, `logs/${app}.log`), 'utf8');
    expect(errorsOf(app, log, 2026).errors).toHaveLength(count);
  });

  it('are of exactly the applications that are watched', async () => {
    const names = await readdir(join(example, 'logs'));
    expect(names.toSorted()).toEqual(APPS.map((app) => `${app}.log`).toSorted());
    expect(Object.keys(ERROR_LIMITS)).toHaveLength(9);
  });
});
