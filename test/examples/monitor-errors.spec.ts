import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APPS } from '../../dags/monitor_errors/apps.ts';
import { runDag, statesOf, type Tested } from './run-dag.ts';

interface Outcome {
  readonly errorsByApp: Readonly<Record<string, number>>;
  readonly topTemplates: readonly { readonly app: string; readonly template: string; readonly count: number }[];
  readonly alerts: readonly { readonly app: string; readonly errors: number; readonly limit: number }[];
}

const loghub = join(import.meta.dirname, '../../../shared/data/loghub');
const zeros = Object.fromEntries(APPS.map((app) => [app, 0]));

let tmp: string;
let logs: string;
beforeEach(async () => {
  tmp = await mkdtemp(join(tmpdir(), 'rondo-monitor-'));
  logs = join(tmp, 'logs');
  await mkdir(logs);
});
afterEach(() => rm(tmp, { recursive: true, force: true }));

/** The run of the example over the folder `logs`; its outcome is what the last task left as its return value. */
const monitor = (folder?: string): Promise<Tested> =>
  runDag('monitor_errors', tmp, folder === undefined ? {} : { env: { RONDO_EXAMPLE_LOGS: folder } });
const outcomeOf = (tested: Tested): Outcome => tested.returned.check_threshold as Outcome;

const runFolder = async (): Promise<string> => {
  const parent = join(tmp, 'rondo-monitor-errors');
  const [run] = await readdir(parent);
  return join(parent, run ?? '');
};

describe('monitor_errors', () => {
  it('has its tasks in order and reports the logs that come with it', async () => {
    const tested = await monitor();
    expect(tested.code).toBe(0);
    expect(tested.tasks.map(({ taskId }) => taskId).toSorted()).toEqual(
      [
        ...APPS.map((app) => `download_${app}.log`),
        'drop_exception',
        'create_table',
        'parse_log',
        'gen_reports',
        'check_threshold',
      ].toSorted(),
    );
    expect(new Set(Object.values(statesOf(tested)))).toEqual(new Set(['success']));
    const { errorsByApp, topTemplates, alerts } = outcomeOf(tested);
    expect(errorsByApp).toEqual({
      ...zeros,
      mainApp: 10,
      extApp: 24,
      timeApp: 5,
      tokenApp: 8,
      bridgeApp: 7,
      notificationApp: 7,
      messageApp: 5,
    });
    expect(topTemplates[0]?.count).toBeGreaterThan(5);
    expect(alerts).toEqual([
      { app: 'mainApp', errors: 10, limit: 8 },
      { app: 'extApp', errors: 24, limit: 20 },
    ]);
    const folder = await runFolder();
    expect(await readFile(join(folder, 'report.html'), 'utf8')).toContain(
      '<h1>Errors of the watched applications</h1>',
    );
    expect(JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'))).toMatchObject({
      errorsByApp,
      topTemplates,
    });
  });

  it('goes straight to its last step when nothing is an error, and says which logs are missing', async () => {
    await writeFile(join(logs, 'mainApp.log'), '2026-03-14 07:43:06,380 INFO [main] a.B: no error\n');
    const tested = await monitor(logs);
    expect(tested.code).toBe(0);
    expect(statesOf(tested)).toMatchObject({
      drop_exception: 'success',
      create_table: 'skipped',
      parse_log: 'skipped',
      gen_reports: 'skipped',
      check_threshold: 'success',
    });
    expect(outcomeOf(tested)).toEqual({ errorsByApp: zeros, topTemplates: [], alerts: [] });
    expect(tested.log).toContain('there is no extApp.log: taken for an empty one');
    expect(tested.log).not.toContain('there is no mainApp.log');
  });

  it('fails at once when the folder of the logs is not there', async () => {
    const tested = await monitor(join(tmp, 'nowhere'));
    expect(tested.code).toBe(1);
    expect(tested.log).toContain('allowed: the absolute path of a folder with logs');
    expect(statesOf(tested).drop_exception).toBe('upstream_failed');
  });
});

const present = existsSync(join(loghub, 'Hadoop.log'));
if (!present) console.warn(`the nine real logs are not at ${loghub}: the test over them is skipped`);
const suite = present ? describe : describe.skip;

suite('monitor_errors over nine real logs', () => {
  it('counts the errors of nine real logs as their authors did', async () => {
    const names = ['Hadoop', 'Zookeeper', 'Apache', 'HDFS', 'Spark', 'OpenStack', 'OpenSSH', 'Linux', 'HealthApp'];
    // Under names in another order than theirs: what a log is called says nothing of its format.
    const apps = APPS.toReversed();
    for (const [at, name] of names.entries()) await symlink(join(loghub, `${name}.log`), join(logs, `${apps[at]}.log`));
    const { errorsByApp, topTemplates } = outcomeOf(await monitor(logs));
    expect(names.map((name, at) => [name, errorsByApp[apps[at] ?? '']])).toEqual([
      ['Hadoop', 152],
      ['Zookeeper', 13],
      ['Apache', 595],
      ...names.slice(3).map((name) => [name, 0]),
    ]);
    expect(topTemplates[0]).toEqual({
      app: apps[2],
      template: 'mod_jk child workerEnv in error state <num>',
      count: 539,
    });
  });
});
