import { dirname, isAbsolute, join } from 'node:path';
import { Operator, Skip, templatable, type TaskContext } from '@rondo/sdk';
import * as z from 'zod';
import { processEnvironment } from '../process/environment.ts';
import type { ProcessEnd } from '../process/run.ts';
import { processError } from '../process/error.ts';

export interface BashArgs {
  /** A command, or the name of a `.sh` or `.bash` file of the bundle whose text is the command. A template. */
  readonly command: string;
  /** The environment of the command. Default: that of user code. A template. */
  readonly env?: Readonly<Record<string, string>>;
  /** True: `env` is added to the environment of user code instead of taking its place. Default false. */
  readonly appendEnv?: boolean;
  /** Default: the folder of the DAG file in the bundle. A relative one is relative to it. A template. */
  readonly cwd?: string;
  /** The task is skipped when the command ends so. Default 99; null: never. */
  readonly skipOnExitCode?: number | readonly number[] | null;
}

export const exitCodes = (() => {
  const code = z.int().min(1).max(255);
  return z.union([code, z.array(code), z.null()]).describe('an exit code from 1 to 255, a list of them, or null');
})();
export const bashShape = {
  command: templatable(z.string().min(1)).describe('a command, or the name of a .sh or .bash file'),
  env: templatable(z.record(z.string(), templatable(z.string())).describe('an object of texts')).optional(),
  appendEnv: z.boolean().describe('true or false').optional(),
  cwd: templatable(z.string().min(1)).describe('a folder').optional(),
};

/** Runs first: when the worker's process is gone, descriptor 3 ends, and the whole group with it. */
const WATCH = '{ trap "" TERM INT HUP; read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 & exec bash -c "$1" bash 3<&-';

/** Runs a command in bash. Its last line of output is the task's return value; every line is logged as it comes. */
export class BashOperator extends Operator<BashArgs, string> {
  static override readonly templateFields = ['command', 'env', 'cwd'];
  static override readonly templateExtensions = ['.sh', '.bash'];
  static override readonly schema = z.strictObject({ ...bashShape, skipOnExitCode: exitCodes.optional() });

  async execute(ctx: TaskContext, { skipOnExitCode = 99, ...args }: BashArgs): Promise<string> {
    const { code, signal, last } = await runBash(ctx, args);
    if (code === 0) return last;
    if (code !== null && [skipOnExitCode].flat().includes(code))
      throw new Skip(`the command ended with exit code ${code}`);
    throw endError({ code, signal });
  }
}

export function endError({ code, signal }: ProcessEnd): Error {
  return processError(
    code === null ? `the command was ended by ${signal}` : `the command ended with exit code ${code}`,
    {
      code,
      signal,
    },
  );
}

/** How the command has ended, and its last line of output. */
export async function runBash(
  ctx: TaskContext,
  { command, env, appendEnv = false, cwd }: Omit<BashArgs, 'skipOnExitCode'>,
): Promise<ProcessEnd & { readonly last: string }> {
  const { runProcess } = await import('../process/run.ts');
  const home = join(ctx.files.root, dirname(ctx.dag.file));
  let last = '';
  const end = await runProcess({
    command: 'bash',
    args: ['-c', WATCH, 'bash', command],
    env: processEnvironment(ctx, env, appendEnv),
    cwd: cwd === undefined ? home : isAbsolute(cwd) ? cwd : join(home, cwd),
    signal: ctx.signal,
    onStdout: (line) => {
      last = line;
      ctx.log.info('%s', line);
    },
    onStderr: (line) => ctx.log.warn('%s', line),
  });
  return { ...end, last };
}
