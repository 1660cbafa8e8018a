import { DataFolderError } from '@rondo/adapter-embedded';
import type { DagRow } from '@rondo/ports';
import type { StandaloneConfig } from './config.ts';
import { importErrorText, startPlatform, type Platform } from './platform.ts';
import { printReport, readReport } from './report.ts';
import { failuresOf, reportOf, watchRun, type WatchedRun } from './watch-run.ts';

/** The task of the example whose return value is its report. */
const REPORT_TASK = 'check_threshold';
/** How long running attempts may go on after a signal, and how long all may take. */
const GRACE_MS = 5_000;
const STOP_MS = 20_000;

/** Starts, runs the example where it is wanted, stays up until a signal. Answers the exit status. */
export async function runStandalone(config: StandaloneConfig): Promise<number> {
  const say = (text: string): void => void (config.json ? process.stderr : process.stdout).write(`${text}\n`);
  let platform: Platform;
  try {
    platform = await startPlatform({
      ...config,
      http: {
        host: config.host,
        port: config.port,
        grpcPort: config.grpcPort,
        token: config.token,
        hosts: config.hosts,
      },
      env: process.env,
    });
  } catch (error) {
    process.stderr.write(
      `rondo: ${error instanceof DataFolderError || process.env['DEBUG'] === undefined ? messageOf(error) : String((error as Error).stack)}\n`,
    );
    return 1;
  }
  const ended = untilSignal();
  greet(platform, config, say);
  let status = 0;
  if (config.run !== undefined) {
    const run = runOnce(platform, config, config.run, say).catch((error: unknown) => {
      process.stderr.write(`rondo: run of '${config.run}': ${messageOf(error)}\n`);
      return 1;
    });
    status = (await Promise.race([run, ended])) ?? 0;
  }
  if (!config.once) await ended;
  await stop(platform, say);
  return status;
}

function greet(platform: Platform, config: StandaloneConfig, say: (text: string) => void): void {
  say(`Rondo ${platform.version}: API on ${platform.url ?? 'no address'}  (data ${config.data}, DAGs ${config.dags})`);
  for (const failure of platform.importErrors) say(`  ${importErrorText(failure)}`);
}

/** Stops in order. What cannot be stopped (a disk that is full, a store that is away) does not hold the process for ever. */
async function stop(platform: Platform, say: (text: string) => void): Promise<void> {
  const timer = setTimeout(() => {
    say(
      `The platform did not stop within ${STOP_MS / 1_000} s: it ends as it is. The next start goes on from the history.`,
    );
    process.exit(1);
  }, STOP_MS);
  await platform.stop(GRACE_MS);
  clearTimeout(timer);
}

/** The exit status: 0 only if the run succeeded. */
async function runOnce(
  platform: Platform,
  config: StandaloneConfig,
  dagId: string,
  say: (text: string) => void,
): Promise<number> {
  const row = await findDag(platform, dagId);
  if (row === undefined || row.retired) {
    if (!config.runIsWanted) return 0;
    process.stderr.write(`rondo: there is no DAG '${dagId}' in ${config.dags}\n`);
    return 1;
  }
  const answer = await platform.commands.send({
    dagId,
    actor: { kind: 'user', name: 'local' },
    command: { type: 'triggerRun', runType: 'manual', triggeredBy: 'cli' },
  });
  if (!answer.ok) {
    process.stderr.write(`rondo: DAG '${dagId}' was not run: ${answer.message}\n`);
    return 1;
  }
  const runId = String(answer.result['runId']);
  const definition = await platform.definition(row.version);
  const run = await watchRun({
    store: platform.store,
    readModels: platform.readModels,
    definition,
    runId,
    out: config.json ? process.stderr : process.stdout,
    quiet: false,
  });
  await showEnd(platform, config, dagId, runId, run, say);
  return run.state === 'success' ? 0 : 1;
}

/** It may be in a file that is still being read. */
async function findDag(platform: Platform, dagId: string): Promise<DagRow | undefined> {
  const row = await platform.readModels.dag(dagId);
  if (row !== undefined) return row;
  await platform.dagsRead();
  await platform.readModels.settled(await platform.store.head());
  return platform.readModels.dag(dagId);
}

async function showEnd(
  platform: Platform,
  config: StandaloneConfig,
  dagId: string,
  runId: string,
  run: WatchedRun,
  say: (text: string) => void,
): Promise<void> {
  const report = readReport(await reportOf(platform.readModels, dagId, runId, REPORT_TASK));
  say(
    `\nRun ${runId} of ${dagId}: ${run.state}${run.reason === null || run.state === 'success' ? '' : ` (${run.reason})`} in ${run.seconds.toFixed(2)} s, ${run.events} events`,
  );
  for (const line of await failuresOf(platform.readModels, dagId, runId)) say(`  ${line}`);
  if (dagId === 'monitor_errors') say(printReport(report));
  say(`\nAPI ${platform.url ?? ''}  OpenAPI ${platform.url ?? ''}/api/v1/openapi.json`);
  if (platform.grpcAddress !== undefined) say(`gRPC ${platform.grpcAddress}`);
  if (config.json)
    process.stdout.write(
      `${JSON.stringify({ dagId, runId, state: run.state, seconds: run.seconds, events: run.events, report })}\n`,
    );
}

/** Resolves at the first signal; a second one ends the process at once. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    const onSignal = (): void => {
      if (++count > 1) process.exit(130);
      process.stderr.write('\nStopping; once more ends at once.\n');
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
