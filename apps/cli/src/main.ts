import { registerHooks } from 'node:module';
import { text } from 'node:stream/consumers';
import { run } from './program.ts';

function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}

/** Packages that a DAG file may import wherever it lies: they are this installation's own. */
const OWN = /^@rondo\/(?:sdk|operators)(?:\/|$)/;
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, OWN.test(specifier) ? { ...context, parentURL: import.meta.url } : context),
});

// A reader that has seen enough (`rondo dags list | head -1`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  readInput: () => text(process.stdin),
  onInterrupt,
});
