import { createReadStream } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SqlOperator } from '@rondo/operators';
import { Dag, FailNow, task, type TaskContext } from '@rondo/sdk';
import { APPS, ERROR_LIMITS } from './monitor_errors/apps.ts';
import { ErrorsTable } from './monitor_errors/errors-table.ts';
import { download, withLogServer } from './monitor_errors/log-server.ts';
import { errorsOf, type ErrorRecord } from './monitor_errors/records.ts';
import { findAlerts, renderHtml, type ErrorsByApp, type Report } from './monitor_errors/report.ts';
import { databaseFile, errorsFile, rawLog, readErrors, runFolder, writeErrors } from './monitor_errors/run-folder.ts';

interface Downloaded {
  readonly app: string;
  /** False: the server has no log of the application, which counts as an empty one. */
  readonly found: boolean;
}

/** The folder whose logs are watched: that of RONDO_EXAMPLE_LOGS, else the one that comes with the example. */
async function logFolder(ctx: TaskContext): Promise<string> {
  const own = join(import.meta.dirname, 'monitor_errors/logs');
  const folder = ctx.env.RONDO_EXAMPLE_LOGS || own;
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() === true) return folder;
  throw new FailNow(
    `RONDO_EXAMPLE_LOGS is '${folder}', where no folder can be read; allowed: the absolute path of a folder with logs`,
  );
}

async function downloadLog(ctx: TaskContext, app: string): Promise<Downloaded> {
  const target = rawLog(runFolder(ctx.run.runId), app);
  const found = await withLogServer(await logFolder(ctx), (url) =>
    download(`${url}/${basename(target)}`, target, ctx.signal),
  );
  if (found) ctx.log.info(`${app}.log: ${(await stat(target)).size} bytes`);
  else {
    await rm(target, { force: true });
    ctx.log.warn(`there is no ${app}.log: taken for an empty one`);
  }
  return { app, found };
}

/** Keeps the errors of all logs in one file. Without any, the run goes straight to its last step. */
async function dropException(ctx: TaskContext, logs: readonly Downloaded[]): Promise<ErrorsByApp> {
  const folder = runFolder(ctx.run.runId);
  const year = ctx.run.runAfter.getUTCFullYear();
  const kept: ErrorRecord[] = [];
  const errorsByApp: Record<string, number> = {};
  for (const { app, found } of logs) {
    const log = found ? await text(createReadStream(rawLog(folder, app), { signal: ctx.signal })) : '';
    const { records, errors } = errorsOf(app, log, year);
    ctx.log.info(`${app}: ${errors.length} errors in ${records} records`);
    errorsByApp[app] = errors.length;
    for (const error of errors) kept.push(error);
  }
  await mkdir(folder, { recursive: true });
  await writeErrors(errorsFile(folder), kept);
  ctx.xcom.push('database', databaseFile(folder));
  ctx.flow.follow(kept.length > 0 ? 'create_table' : 'check_threshold');
  return errorsByApp;
}

async function parseLog(ctx: TaskContext): Promise<{ readonly rows: number }> {
  const folder = runFolder(ctx.run.runId);
  const errors = await readErrors(errorsFile(folder));
  using table = new ErrorsTable(databaseFile(folder));
  table.replaceAll(errors);
  return { rows: errors.length };
}

async function genReports(
  ctx: TaskContext,
  errorsByApp: ErrorsByApp,
): Promise<Report & { readonly files: readonly string[] }> {
  const folder = runFolder(ctx.run.runId);
  using table = new ErrorsTable(databaseFile(folder));
  const report: Report = {
    errorsByApp,
    errorsByHour: table.errorsByHour(),
    topTemplates: table.topTemplates(Number(ctx.params.topTemplates)),
  };
  const files = [join(folder, 'report.html'), join(folder, 'report.json')] as const;
  await writeFile(files[0], renderHtml(report, 'Errors of the watched applications'));
  await writeFile(files[1], `${JSON.stringify(report, undefined, 2)}\n`);
  ctx.log.info(`reports: ${files.join(', ')}`);
  return { ...report, files };
}

/** The outcome of the run. Too many errors are no failure of the pipeline that finds them. */
function checkThreshold(ctx: TaskContext, errorsByApp: ErrorsByApp, topTemplates: Report['topTemplates']) {
  const alerts = findAlerts(errorsByApp, ctx.params.limits as Readonly<Record<string, number>>);
  for (const { app, errors, limit } of alerts) ctx.log.warn(`${app} has ${errors} errors; its limit is ${limit}`);
  return { errorsByApp, topTemplates, alerts };
}

export default new Dag(
  {
    id: 'monitor_errors',
    description: 'Downloads the logs of nine applications, keeps the errors and reports them',
    tags: ['example', 'logs'],
    params: { topTemplates: 10, limits: ERROR_LIMITS },
    defaultArgs: { owner: 'operations', retries: 2, retryDelay: '2s', executionTimeout: '5m' },
    files: ['monitor_errors/logs/*.log'],
  },
  () => {
    const downloads = APPS.map((app) => task(`download_${app}.log`, (ctx) => downloadLog(ctx, app))());
    const errorsByApp = task('drop_exception', downloads, dropException);
    const created = new SqlOperator({
      id: 'create_table',
      connection: "sqlite:///{{ ti.xcom_pull(task_ids='drop_exception', key='database') | urlencode }}",
      sql: 'monitor_errors/create_table.sql',
      fetch: 'none',
    });
    const parsed = task('parse_log', parseLog)();
    const reported = task('gen_reports', errorsByApp, genReports);
    const checked = task(
      'check_threshold',
      { errorsByApp, reported },
      // The reports were skipped when there was nothing to report.
      (ctx, input) =>
        checkThreshold(ctx, input.errorsByApp, (input.reported as Report | null | undefined)?.topTemplates ?? []),
      { triggerRule: 'none_failed' },
    );
    errorsByApp.to(created).to(parsed).to(reported).to(checked);
  },
);
