/** `npm run cluster`: the distributed platform on one machine, as separate processes. */
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster, missingForCluster } from './cluster.ts';
import { statusLines } from './status.ts';

const HELP = `Usage: npm run cluster -- [options]

Starts Kafka, PostgreSQL, an event store and every service of Rondo as processes of this machine, shows how they are, and
stops them at a signal. RONDO_EVENTSTOREDB=esdb://… uses an event store that is there already.

  --once            run a DAG and stop when it has ended; the exit status is 0 only if it succeeded
  --run DAG         the DAG to run (default monitor_errors)
  --no-run          run nothing
  --dags DIR        folder of DAG files (default ./dags)
  --data DIR        keep what the cluster writes there (default: a temporary folder, removed at the end)
  --schedulers N    (default 2)
  --gateways N      (default 2)
  --workers N       (default 3)
  --slots N         attempts at once of each worker (default: one for each core)
  --port N          port of the API (default: the next free one)
  --ports N         the first port that is looked at (default 7400)
  -h, --help        this text
`;

const checkout = resolve(import.meta.dirname, '../..');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

function options() {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean' },
      run: { type: 'string' },
      'no-run': { type: 'boolean' },
      dags: { type: 'string' },
      data: { type: 'string' },
      schedulers: { type: 'string' },
      gateways: { type: 'string' },
      workers: { type: 'string' },
      slots: { type: 'string' },
      port: { type: 'string' },
      ports: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return values;
}

type Options = ReturnType<typeof options>;

function whole(
  given: Options,
  name: 'schedulers' | 'gateways' | 'workers' | 'slots' | 'ports' | 'port',
  preset: number,
): number {
  const text = given[name];
  const value = text === undefined ? preset : Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535)
    throw new Error(`--${name} ${JSON.stringify(text)}: a whole number from 1 is wanted`);
  return value;
}

/** Resolves at the first signal; a second one ends this process, and with it nothing else. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        if (++count > 1) process.exit(130);
        say('\nStopping ...');
        resolve();
      });
  });
}

/** Triggers the DAG and shows its progress; the exit status of the command. */
function runDag(url: string, dag: string): Promise<number> {
  const hook = join(checkout, 'tools/nest-hook.mjs');
  const main = join(checkout, 'apps/cli/src/main.ts');
  const args = ['--import', hook, main, '--url', url, 'dags', 'trigger', dag, '--watch'];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit', cwd: checkout });
    child.once('exit', (code) => resolve(code ?? 1));
    child.once('error', () => resolve(1));
  });
}

/** The folder is read by one of the schedulers, through a worker. */
async function untilKnown(url: string, dag: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/api/v1/dags/${encodeURIComponent(dag)}`).catch(() => undefined);
    if (response?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function main(): Promise<number> {
  const given = options();
  if (given.help === true) {
    say(HELP);
    return 0;
  }
  const missing = missingForCluster();
  if (missing.length > 0) {
    for (const each of missing) process.stderr.write(`rondo: the cluster cannot run here, missing: ${each}\n`);
    return 2;
  }
  const folder = given.data === undefined ? mkdtempSync(join(tmpdir(), 'rondo-cluster-')) : resolve(given.data);
  const begin = performance.now();
  const cluster = new Cluster({
    folder,
    say,
    dags: resolve(given.dags ?? join(checkout, 'dags')),
    schedulers: whole(given, 'schedulers', 2),
    gateways: whole(given, 'gateways', 2),
    workers: whole(given, 'workers', 3),
    slots: whole(given, 'slots', availableParallelism()),
    firstPort: whole(given, 'ports', 7_400),
    ...(given.port === undefined ? {} : { port: whole(given, 'port', 8_080) }),
  });
  const ended = untilSignal();
  say(`Logs are in ${cluster.logs}`);
  let status = 1;
  try {
    status = (await Promise.race([work(cluster, given, begin), ended])) ?? 0;
  } catch (error) {
    process.stderr.write(`rondo: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  if (status === 0 && given.once !== true) await ended;
  const late = await cluster.stop();
  for (const name of late) process.stderr.write(`rondo: ${name} did not stop as it should: see ${cluster.logs}\n`);
  if (given.data === undefined && status === 0) cluster.remove();
  else say(`Everything that was written is in ${folder}`);
  return late.length > 0 ? 1 : status;
}

async function work(cluster: Cluster, given: Options, begin: number): Promise<number> {
  await cluster.start();
  say(`\nThe cluster is up after ${((performance.now() - begin) / 1_000).toFixed(1)} s: API on ${cluster.url}`);
  for (const line of await statusLines(cluster)) say(line);
  if (given['no-run'] === true) return 0;
  const dag = given.run ?? 'monitor_errors';
  await untilKnown(cluster.url, dag);
  say(`\nRunning ${dag}`);
  const status = await runDag(cluster.url, dag);
  say('');
  for (const line of await statusLines(cluster)) say(line);
  return given.once === true ? status : 0;
}

process.exit(await main());
