import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { api, pause, PlatformProcess, type ProcessOptions } from './platform-process.ts';

const root = join(import.meta.dirname, '../..');

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A folder of DAG files with its data folder, both temporary, and the platforms that were started on it. */
export class Project {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'rondo-e2e-')));
  readonly data = join(this.folder, 'data');
  readonly dags = join(this.folder, 'dags');
  private readonly started: PlatformProcess[] = [];

  constructor() {
    mkdirSync(this.dags);
  }

  /** Writes a file of the DAG folder. */
  write(path: string, text: string): void {
    const file = join(this.dags, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  start(options: Partial<ProcessOptions> = {}): PlatformProcess {
    const { args = ['--no-run', '--port', '0'], ...rest } = options;
    const platform = new PlatformProcess({ data: this.data, dags: this.dags, ...rest, args });
    this.started.push(platform);
    return platform;
  }

  /** A platform that serves: it runs nothing of its own accord. */
  async serve(options: Partial<ProcessOptions> = {}): Promise<Served> {
    const platform = this.start(options);
    const url = await platform.ready();
    if (url === undefined) throw new Error(`the platform ended: ${platform.output}${platform.errors}`);
    return new Served(platform, url);
  }

  /** Ends what still runs and removes the folder; throws when a process was left. */
  async remove(): Promise<void> {
    for (const platform of this.started) await platform.end();
    const left = await this.leftovers();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`);
  }

  /** Processes of this project that are there although no platform is. What has just been killed is given time to go. */
  async leftovers(): Promise<readonly string[]> {
    for (let i = 0; i < 50 && processesOf(this.folder).length > 0; i++) await pause(100);
    return processesOf(this.folder).map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`);
  }
}

/** A platform that serves, and its API. */
export class Served {
  readonly platform: PlatformProcess;
  readonly url: string;

  constructor(platform: PlatformProcess, url: string) {
    this.platform = platform;
    this.url = url;
  }

  get<T = Row>(path: string): Promise<T> {
    return api<T>(this.url, path);
  }

  post<T = Row>(path: string, body: unknown = {}): Promise<T> {
    return api<T>(this.url, path, body);
  }

  /** Waits until a DAG is there. */
  async dag(dagId: string): Promise<void> {
    await until(`DAG ${dagId}`, async () =>
      (await this.get<Rows>('/dags?limit=1000')).items.some((row) => row['dagId'] === dagId),
    );
  }

  async trigger(dagId: string, body: object = {}): Promise<string> {
    await this.dag(dagId);
    return String((await this.post(`/dags/${dagId}/runs`, body))['runId']);
  }

  /** Triggers a run and waits for its end. */
  async run(dagId: string, body: object = {}): Promise<Row> {
    return this.ended(dagId, await this.trigger(dagId, body));
  }

  ended(dagId: string, runId: string): Promise<Row> {
    return until(`the end of ${dagId} ${runId}`, async () => {
      const run = await this.get(runPath(dagId, runId));
      return run['state'] === 'success' || run['state'] === 'failed' ? run : undefined;
    });
  }

  task(dagId: string, runId: string, taskId: string): Promise<Row> {
    return this.get(`${runPath(dagId, runId)}/tasks/${taskId}`);
  }

  /** Waits until a task instance is in a state. */
  taskIs(dagId: string, runId: string, taskId: string, state: string): Promise<Row> {
    return until(`${taskId} ${state}`, async () => {
      const row = await this.task(dagId, runId, taskId);
      return row['state'] === state ? row : undefined;
    });
  }

  /** Lines of the log of the latest try, or of another. */
  async log(dagId: string, runId: string, taskId: string, tryNumber?: number): Promise<readonly string[]> {
    const which = tryNumber === undefined ? '' : `&try=${tryNumber}`;
    const page = await this.get<{ readonly lines: readonly { readonly text: string }[] }>(
      `${runPath(dagId, runId)}/tasks/${taskId}/log?limit=10000${which}`,
    );
    return page.lines.map((line) => line.text);
  }

  async xcom(dagId: string, runId: string, taskId: string): Promise<unknown> {
    return (await this.get(`${runPath(dagId, runId)}/tasks/${taskId}/xcoms/return_value`))['value'];
  }
}

export type Row = Readonly<Record<string, unknown>>;

export interface Rows {
  readonly items: readonly Row[];
  readonly total: number;
}

export const runPath = (dagId: string, runId: string): string => `/dags/${dagId}/runs/${encodeURIComponent(runId)}`;

/** Asks again and again until there is an answer. What is asked may take minutes on a busy machine, not for ever. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + 120_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`${what} did not come`);
    await pause(50);
  }
}

/** The command line in a process of its own. */
export function rondo(...args: readonly string[]): Promise<Ended> {
  const main = ['--import', join(root, 'tools/nest-hook.mjs'), join(root, 'apps/cli/src/main.ts')];
  const child = spawn(process.execPath, [...main, ...args], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(read(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

/** Processes whose command line or environment names the folder: a platform, its children, and what those have started. */
export function processesOf(folder: string): readonly number[] {
  // Only where there is a /proc: elsewhere the process ids that the API tells have to do.
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(
      (pid) =>
        pid !== process.pid &&
        isAlive(pid) &&
        (read(`/proc/${pid}/environ`) + read(`/proc/${pid}/cmdline`)).includes(folder),
    );
}

/** Bytes of a file as characters; empty when it is gone. */
export function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
