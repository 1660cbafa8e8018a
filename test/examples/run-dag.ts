import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const root = join(import.meta.dirname, '../..');

export interface TestedTask {
  readonly taskId: string;
  readonly state: string;
}

export interface Tested {
  readonly code: number | null;
  readonly state: string;
  readonly tasks: readonly TestedTask[];
  /** What tasks returned that another takes, by task id. */
  readonly returned: Readonly<Record<string, unknown>>;
  readonly log: string;
}

/** Runs an example by `rondo dags test` in a process of its own, whose temporary files go to `tmp`. */
export async function runDag(
  dagId: string,
  tmp: string,
  options: { readonly env?: Readonly<Record<string, string>>; readonly args?: readonly string[] } = {},
): Promise<Tested> {
  const args = [
    '--enable-source-maps',
    '--import',
    join(root, 'tools/nest-hook.mjs'),
    join(root, 'apps/cli/src/main.ts'),
    'dags',
    'test',
    dagId,
    '--json',
    ...(options.args ?? []),
  ];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { PATH: process.env.PATH, TMPDIR: tmp, ...options.env },
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [out, log, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  const line = out.trim().split('\n').at(-1) ?? '';
  if (!line.startsWith('{'))
    throw new Error(`dags test ${dagId} answered no JSON, exit status ${code}:\n${out}\n${log}`);
  const answer = JSON.parse(line) as Omit<Tested, 'code' | 'log'>;
  return { ...answer, code, log };
}

export const statesOf = (tested: Tested): Readonly<Record<string, string>> =>
  Object.fromEntries(tested.tasks.map(({ taskId, state }) => [taskId, state]));
