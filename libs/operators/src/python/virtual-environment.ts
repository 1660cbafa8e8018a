import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskContext } from '@rondo/sdk';

const WAIT_MS = 250;

/** The interpreter of the virtual environment with these requirements; made on first use, kept by what it is made of. */
export async function environmentFor(
  ctx: TaskContext,
  python: string,
  requirements: string | readonly string[],
): Promise<string> {
  const { readFile, mkdir, stat } = await import('node:fs/promises');
  const text =
    typeof requirements === 'string'
      ? await readFile(ctx.files.path(requirements), 'utf8')
      : `${requirements.join('\n')}\n`;
  const version = await versionOf(ctx, python);
  const hash = createHash('sha256').update(`${version}\n${text}`).digest('hex').slice(0, 24);
  const folder = join(ctx.files.cacheFolder, 'venv', hash);
  const interpreter = join(folder, 'bin', 'python');
  const isReady = (): Promise<boolean> =>
    stat(join(folder, 'ready')).then(
      () => true,
      () => false,
    );
  if (await isReady()) return interpreter;
  await mkdir(dirname(folder), { recursive: true });
  await locked(ctx, `${folder}.lock`, async () => {
    if (!(await isReady())) await build(ctx, python, folder, text);
  });
  return interpreter;
}

async function versionOf(ctx: TaskContext, python: string): Promise<string> {
  const lines: string[] = [];
  await run(ctx, python, ['-c', 'import sys; print(sys.version, sys.executable)'], (line) => lines.push(line));
  return lines.join('\n');
}

async function build(ctx: TaskContext, python: string, folder: string, requirements: string): Promise<void> {
  const { mkdir, rm, writeFile } = await import('node:fs/promises');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const file = join(folder, 'requirements.txt');
  await writeFile(file, requirements);
  ctx.log.info(`making a virtual environment in ${folder}`);
  await run(ctx, python, ['-m', 'venv', folder]);
  await run(ctx, join(folder, 'bin', 'python'), [
    '-m',
    'pip',
    'install',
    '--disable-pip-version-check',
    '--no-input',
    '-r',
    file,
  ]);
  await writeFile(join(folder, 'ready'), '');
}

async function run(
  ctx: TaskContext,
  command: string,
  args: readonly string[],
  onStdout = (line: string): void => ctx.log.info('%s', line),
): Promise<void> {
  const { runProcess } = await import('../process/run.ts');
  const tail: string[] = [];
  const onStderr = (line: string): void => {
    tail.push(line);
    ctx.log.warn('%s', line);
  };
  const { code, signal } = await runProcess({
    command,
    args,
    env: { ...ctx.env },
    cwd: ctx.files.root,
    signal: ctx.signal,
    onStdout,
    onStderr,
  });
  if (code !== 0)
    throw new Error(
      `${command} ${args.slice(0, 3).join(' ')} ended with ${signal ?? `exit code ${code}`}: ${tail.slice(-5).join('\n')}`,
    );
}

/** One process at a time: the lock is a file with its holder's pid, and that of a process that is gone is taken away. */
async function locked(ctx: TaskContext, path: string, work: () => Promise<void>): Promise<void> {
  const { rm, writeFile } = await import('node:fs/promises');
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (!(await holderLives(path))) await rm(path, { force: true });
      else await sleep(WAIT_MS, undefined, { signal: ctx.signal });
    }
  }
  try {
    await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function holderLives(path: string): Promise<boolean> {
  const { readFile } = await import('node:fs/promises');
  const pid = Number(await readFile(path, 'utf8').catch(() => '0'));
  // Empty: its holder has just made it.
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
