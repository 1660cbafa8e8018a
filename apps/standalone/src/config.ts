import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { FAIL_POINTS, type FailPoint } from '@rondo/kernel';
import { DEFAULT_MAX_MAP_LENGTH } from '@rondo/domain';
import type { AttemptSettings } from '@rondo/sdk';
import { z } from 'zod';
import { TaskSettings, taskSettings } from './task-settings.ts';

const OPTIONS = {
  data: { type: 'string' },
  dags: { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  'grpc-port': { type: 'string' },
  workers: { type: 'string' },
  executor: { type: 'string' },
  queues: { type: 'string' },
  'parse-timeout': { type: 'string' },
  'max-map-length': { type: 'string' },
  'max-xcom-bytes': { type: 'string' },
  'xcom-backend': { type: 'string' },
  'xcom-threshold': { type: 'string' },
  'xcom-types': { type: 'string' },
  'conf-overrides-params': { type: 'string' },
  'seal-runs': { type: 'string' },
  run: { type: 'string' },
  'no-run': { type: 'boolean' },
  once: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export const HELP = `Usage: npm start -- [options]

Starts the platform with every service in one process, runs the example once and stays up.

  --dags DIR        folder of DAG files (default ./dags; RONDO_DAGS)
  --data DIR        data folder, locked while the platform runs (default ./.rondo; RONDO_DATA)
  --host ADDRESS    address of the API (default 127.0.0.1; RONDO_HOST). Anything but loopback needs RONDO_API_TOKEN;
                    RONDO_API_HOSTS names the hosts under which others may address it, separated by commas
  --port N          port of the API (default 8080, or the next free one; RONDO_PORT)
  --grpc-port N     port of the API over gRPC (default: none; RONDO_GRPC_PORT)
  --workers N       attempts that run at once (default: one for each core; RONDO_WORKERS)
  --executor NAME   local, or sequential: one attempt at a time (default local; RONDO_EXECUTOR)
  --queues NAMES    queues whose tasks are run, separated by commas (default: all; RONDO_QUEUES)
  --parse-timeout N seconds that a DAG file may take to load (default 30; RONDO_PARSE_TIMEOUT)
  --max-map-length N
                    most instances that one mapping makes (default 100000; RONDO_MAX_MAP_LENGTH)
  --max-xcom-bytes N
                    bytes that one XCom may have as JSON (default 67108864; RONDO_MAX_XCOM_BYTES)
  --xcom-backend SPEC
                    where large XComs are kept: blobs, folder:PATH or the path of a module (default blobs;
                    RONDO_XCOM_BACKEND)
  --xcom-threshold N
                    XComs of more bytes are large (default, and at most, 32768; RONDO_XCOM_THRESHOLD)
  --xcom-types NAMES
                    registered types that XComs may have, such as acme.*, separated by commas (default: all;
                    RONDO_XCOM_TYPES)
  --conf-overrides-params CHOICE
                    yes or no: whether a run's conf changes its params (default yes; RONDO_CONF_OVERRIDES_PARAMS)
  --seal-runs CHOICE
                    yes or no: whether every run is sealed with a key of its own, so that it can be erased; no: runs of
                    DAGs that say so (default no; RONDO_SEAL_RUNS)
  --run DAG         run this DAG once after the start (default monitor_errors where the folder has it)
  --no-run          run nothing
  --once            stop when that run has ended; the exit status is 0 only if it succeeded
  --json            with --once: the last line of the output is one JSON object
  -h, --help        this text
`;

type Flags = ReturnType<typeof parseFlags>;

/** Where each setting comes from: a flag, an environment variable, or both. */
const SOURCES: readonly {
  readonly name: keyof z.input<typeof Settings>;
  readonly flag?: Exclude<keyof Flags, 'help' | 'no-run' | 'once' | 'json'>;
  readonly variable?: string;
}[] = [
  { name: 'data', flag: 'data', variable: 'RONDO_DATA' },
  { name: 'dags', flag: 'dags', variable: 'RONDO_DAGS' },
  { name: 'host', flag: 'host', variable: 'RONDO_HOST' },
  { name: 'port', flag: 'port', variable: 'RONDO_PORT' },
  { name: 'grpcPort', flag: 'grpc-port', variable: 'RONDO_GRPC_PORT' },
  { name: 'workers', flag: 'workers', variable: 'RONDO_WORKERS' },
  { name: 'executor', flag: 'executor', variable: 'RONDO_EXECUTOR' },
  { name: 'queues', flag: 'queues', variable: 'RONDO_QUEUES' },
  { name: 'parseTimeout', flag: 'parse-timeout', variable: 'RONDO_PARSE_TIMEOUT' },
  { name: 'maxMapLength', flag: 'max-map-length', variable: 'RONDO_MAX_MAP_LENGTH' },
  { name: 'maxXComBytes', flag: 'max-xcom-bytes', variable: 'RONDO_MAX_XCOM_BYTES' },
  { name: 'xcomBackend', flag: 'xcom-backend', variable: 'RONDO_XCOM_BACKEND' },
  { name: 'xcomThreshold', flag: 'xcom-threshold', variable: 'RONDO_XCOM_THRESHOLD' },
  { name: 'xcomTypes', flag: 'xcom-types', variable: 'RONDO_XCOM_TYPES' },
  { name: 'confOverridesParams', flag: 'conf-overrides-params', variable: 'RONDO_CONF_OVERRIDES_PARAMS' },
  { name: 'sealRuns', flag: 'seal-runs', variable: 'RONDO_SEAL_RUNS' },
  { name: 'run', flag: 'run' },
  { name: 'token', variable: 'RONDO_API_TOKEN' },
  { name: 'hosts', variable: 'RONDO_API_HOSTS' },
  { name: 'failPoint', variable: 'RONDO_FAIL_POINT' },
];

type Environment = Readonly<Record<string, string | undefined>>;

/** An empty environment variable is as good as none. */
function valueOf({ flag, variable }: (typeof SOURCES)[number], flags: Flags, env: Environment): string | undefined {
  return (flag && flags[flag]) ?? ((variable && env[variable]) || undefined);
}

function problemOf(issue: z.core.$ZodIssue, flags: Flags, given: Readonly<Record<string, string | undefined>>): string {
  const source = SOURCES.find(({ name }) => name === issue.path[0])!;
  const isFlag = source.flag !== undefined && flags[source.flag] !== undefined;
  // A token is a secret, even one that is none yet.
  const value = source.name === 'token' ? '' : ` ${JSON.stringify(given[source.name])}`;
  return `${isFlag ? `--${source.flag}` : source.variable}${value}: ${issue.message}`;
}

const FailPointSpec = z.string().transform((text, context): { point: FailPoint; hit: number } => {
  const at = text.lastIndexOf(':');
  const point = FAIL_POINTS.find((p) => p === text.slice(0, at));
  const hit = Number(text.slice(at + 1));
  if (point !== undefined && Number.isInteger(hit) && hit > 0) return { point, hit };
  context.addIssue({
    code: 'custom',
    message: `'${text}' is not allowed: NAME:N with a name of ${FAIL_POINTS.join(', ')} and N from 1`,
  });
  return z.NEVER;
});

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, `a whole number from ${least} to ${most} is wanted`)
    .transform(Number)
    .pipe(z.number().min(least, `at least ${least}`).max(most, `at most ${most}`));

const Settings = z.object({
  data: z.string().min(1).default('.rondo'),
  dags: z.string().min(1).default('dags'),
  host: z.string().min(1).default('127.0.0.1'),
  port: whole(0, 65_535).optional(),
  grpcPort: whole(0, 65_535).optional(),
  workers: whole(1, 1_000).optional(),
  executor: z.enum(['local', 'sequential']).default('local'),
  queues: z
    .string()
    .transform((text) => text.split(',').map((name) => name.trim()))
    .pipe(z.array(z.string().min(1, 'names of queues, separated by commas, are allowed')))
    .optional(),
  parseTimeout: whole(1, 3_600).default(30),
  maxMapLength: whole(1, 10_000_000).default(DEFAULT_MAX_MAP_LENGTH),
  ...TaskSettings,
  sealRuns: z.enum(['yes', 'no'], 'yes or no is wanted').default('no'),
  run: z.string().min(1).optional(),
  hosts: z
    .string()
    .transform((text) => text.split(',').map((name) => name.trim()))
    .pipe(z.array(z.string().regex(/^[\w.:[\]-]+$/, 'names of hosts without a port, separated by commas, are allowed')))
    .default([]),
  token: z.string().min(16, 'at least 16 characters').optional(),
  failPoint: FailPointSpec.optional(),
});

export interface StandaloneConfig {
  readonly data: string;
  readonly dags: string;
  readonly host: string;
  /** Undefined: 8080, or the next free one. */
  readonly port: number | undefined;
  /** Undefined: the API is not served over gRPC. */
  readonly grpcPort: number | undefined;
  readonly workers: number;
  readonly executor: 'local' | 'sequential';
  /** Undefined: all. */
  readonly queues: readonly string[] | undefined;
  readonly parseTimeoutMs: number;
  readonly maxMapLength: number;
  readonly sealRuns: boolean;
  readonly settings: AttemptSettings;
  /** The DAG to run once after the start. */
  readonly run: string | undefined;
  /** The DAG was named by the user, so that a missing one is an error. */
  readonly runIsWanted: boolean;
  readonly once: boolean;
  readonly json: boolean;
  readonly token: string | undefined;
  readonly hosts: readonly string[];
  readonly failPoint: { readonly point: FailPoint; readonly hit: number } | undefined;
}

export type ConfigResult =
  | { readonly kind: 'run'; readonly config: StandaloneConfig }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad'; readonly problems: readonly string[] };

/** Flags win over the environment. Every problem is listed, with the value and what is allowed. */
export function readConfig(args: readonly string[], env: Environment, base: string): ConfigResult {
  let flags: Flags;
  try {
    flags = parseFlags(args);
  } catch (error) {
    return { kind: 'bad', problems: [error instanceof Error ? error.message : String(error)] };
  }
  if (flags.help === true) return { kind: 'help' };
  const given = Object.fromEntries(SOURCES.map((source) => [source.name, valueOf(source, flags, env)]));
  const parsed = Settings.safeParse(given);
  if (!parsed.success)
    return { kind: 'bad', problems: parsed.error.issues.map((issue) => problemOf(issue, flags, given)) };
  const s = parsed.data;
  if (flags['no-run'] === true && flags.once === true)
    return { kind: 'bad', problems: ['--once runs a DAG and --no-run runs none: only one of them is allowed'] };
  const settings = taskSettings(s, base, resolve(base, s.data));
  if (typeof settings === 'string') return { kind: 'bad', problems: [settings] };
  return {
    kind: 'run',
    config: {
      data: resolve(base, s.data),
      dags: resolve(base, s.dags),
      host: s.host,
      port: s.port,
      grpcPort: s.grpcPort,
      workers: s.workers ?? availableParallelism(),
      executor: s.executor,
      queues: s.queues,
      parseTimeoutMs: s.parseTimeout * 1_000,
      maxMapLength: s.maxMapLength,
      sealRuns: s.sealRuns === 'yes',
      settings,
      run: flags['no-run'] === true ? undefined : (s.run ?? 'monitor_errors'),
      runIsWanted: s.run !== undefined || flags.once === true,
      once: flags.once === true,
      json: flags.json === true,
      token: s.token,
      hosts: s.hosts,
      failPoint: s.failPoint,
    },
  };
}

function parseFlags(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }).values;
}
