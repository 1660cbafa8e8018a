import { readFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import type { ClientTls } from '@rondo/adapter-grpc';
import { list, text, whole, type ConfigOf } from '@rondo/nest-platform/service';
import { ALL_QUEUES } from '@rondo/ports';

const MIB = 1_048_576;

/** The settings of a worker beside those that every service has. */
export const WORKER_SETTINGS = {
  gateways: {
    addresses: list('Where the gateways are; all of them.', {
      required: true,
      form: [/^[^\s]+:\d{1,5}$/, 'HOST:PORT'],
    }),
    ca: text(
      'Path of the certificates (PEM) that may have signed those of the gateways. With it the lines are encrypted.',
      {},
    ),
    cert: text("Path of the worker's own certificate (PEM), for mutual TLS.", {}),
    key: text('Path of the key of that certificate (PEM).', {}),
    serverName: text("The name in the gateways' certificates, where it is not that of the address.", {}),
  },
  worker: {
    name: text('Unique among the workers, and the same after a restart.', {
      default: hostname().slice(0, 100),
      form: [/^[\w.-]{1,100}$/, 'letters, digits, . _ -, at most 100'],
    }),
    data: text('Folder of its journal, bundles and logs on their way. No other worker has it.', {
      default: './.rondo-worker',
    }),
    slots: whole('Attempts that run at once.', 1, 1_000, { default: availableParallelism() }),
    queues: list('Queues whose tasks it takes; * is every one.', { default: [ALL_QUEUES] }),
    labels: list('What it is, for people.', { form: [/^[^=\s]+=.*$/, 'NAME=VALUE'] }),
    attempt: text('The one attempt that it was made for, as in a pod; it leaves when that is done.', {}),
    attemptToken: text('What proves it.', { secret: true }),
    cwd: text('Working folder of tasks.', { default: '.' }),
    moduleRoots: list('Folders from where npm packages of DAG files are found. Without: the working folder.', {}),
    passEnv: list('Names, or PREFIX_*, of environment variables that tasks see beside the usual ones.', {}),
    uid: whole('User that tasks run as; needs root.', 1, 2 ** 31, {}),
    gid: whole('Group that tasks run as; needs root.', 1, 2 ** 31, {}),
    parseTimeout: whole('Seconds that a DAG file may take to load.', 1, 600, { default: 30 }),
    bundleMiB: whole('What is kept of bundles that no task uses.', 1, 1_048_576, { default: 2_048 }),
    spoolMiB: whole(
      'What is kept of logs while no gateway takes them; the rest is dropped, with a mark.',
      1,
      1_048_576,
      {
        default: 1_024,
      },
    ),
  },
};

export type WorkerConfig = ConfigOf<typeof WORKER_SETTINGS>;

/** What is wrong with settings that are right one by one. */
export function checkWorkerConfig({ gateways, worker }: WorkerConfig): readonly string[] {
  const problems: string[] = [];
  if ((gateways.cert === undefined) !== (gateways.key === undefined))
    problems.push('gateways.cert and gateways.key belong together: one of them is missing');
  if ((worker.attempt === undefined) !== (worker.attemptToken === undefined))
    problems.push('worker.attempt and worker.attemptToken belong together: one of them is missing');
  if ((worker.uid === undefined) !== (worker.gid === undefined))
    problems.push('worker.uid and worker.gid belong together: one of them is missing');
  for (const name of ['ca', 'cert', 'key'] as const) {
    const path = gateways[name];
    if (path !== undefined && pemOf(path) === undefined)
      problems.push(`gateways.${name} ${JSON.stringify(path)}: a file that can be read is wanted`);
  }
  return problems;
}

/** Undefined: plain text. */
export function tlsOf({ ca, cert, key, serverName }: WorkerConfig['gateways']): ClientTls | undefined {
  if (ca === undefined && cert === undefined) return undefined;
  const pem = { ca: ca && pemOf(ca), cert: cert && pemOf(cert), key: key && pemOf(key) };
  return Object.fromEntries(Object.entries({ ...pem, serverName }).filter(([, value]) => value !== undefined));
}

export function optionsOf({ worker }: WorkerConfig) {
  const { name, data, slots, queues, labels, cwd, moduleRoots, passEnv, uid, gid, attempt, attemptToken } = worker;
  return {
    worker: name,
    dataFolder: data,
    limits: { slots },
    queues,
    cwd,
    labels: Object.fromEntries((labels ?? []).map((label) => labelOf(label))),
    parse: { timeoutMs: worker.parseTimeout * 1_000 },
    maxBundleBytes: worker.bundleMiB * MIB,
    maxSpoolBytes: worker.spoolMiB * MIB,
    ...(attempt === undefined || attemptToken === undefined ? {} : { attempt: { id: attempt, token: attemptToken } }),
    ...(moduleRoots === undefined ? {} : { moduleRoots }),
    ...(passEnv === undefined ? {} : { passEnv }),
    ...(uid === undefined || gid === undefined ? {} : { runAsUser: { uid, gid } }),
  };
}

function labelOf(label: string): [string, string] {
  const at = label.indexOf('=');
  return [label.slice(0, at), label.slice(at + 1)];
}

function pemOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
