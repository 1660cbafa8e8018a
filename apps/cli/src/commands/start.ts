import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Registry } from '../context.ts';
import type { Terminal } from '../terminal.ts';

const root = join(import.meta.dirname, '../../../..');

/** The platform's own process: the same Node, the same load hook. */
export const startArguments = (args: readonly string[]): readonly string[] => [
  '--enable-source-maps',
  '--import',
  join(root, 'tools/nest-hook.mjs'),
  join(root, 'apps/standalone/src/main.ts'),
  ...args,
];

/** Everything after `start` is the platform's; it ends with the platform's exit status. */
export function start(args: readonly string[], terminal: Terminal): Promise<number> {
  const child = spawn(process.execPath, startArguments(args), {
    stdio: 'inherit',
    cwd: terminal.cwd,
    env: terminal.env,
  });
  // A terminal sends an interrupt to both processes: this one waits for the platform to end.
  const ignore = (): void => {};
  const passOn = (): boolean => child.kill('SIGTERM');
  process.on('SIGINT', ignore).on('SIGTERM', passOn);
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  }).finally(() => process.off('SIGINT', ignore).off('SIGTERM', passOn));
}

export function registerStart({ program }: Registry): void {
  program
    .command('start')
    .description('start the platform here, run the example once, and stay up (rondo start --help: its options)')
    .helpOption(false)
    .argument('[options...]', 'options of the platform, for example --once');
}
