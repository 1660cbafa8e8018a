/**
 * A worker's child process: where user code runs, and nothing else.
 *
 * Started under the pinned Node, by type stripping alone, with `ChildConfig` as its argument. It imports little, since its
 * start is what a task waits for when no warm child is free.
 */
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
import type { Assignment, CallbackAssignment, TaskError } from '@rondo/domain';
import type { ParseRequest } from '@rondo/ports';
import { Channel } from './channel.ts';
import { Denials } from './denials.ts';
import { leave, leaveWithGroup, watchExit } from './exit.ts';
import {
  FROM_CHILD,
  TO_CHILD,
  type AbortFrame,
  type AnswerFrame,
  type BindFrame,
  type ChildConfig,
  type UnwatchFrame,
  type WatchFrame,
  type WatchLimits,
} from './frames.ts';
import { guardSqlite, installAliases } from './fs-view.ts';
import { Masker } from './masker.ts';
import type { Parsed } from './parse.ts';
import { installResolution } from './resolve.ts';
import { ServiceClient } from './services.ts';
import type { Watches } from './watches.ts';

const config = JSON.parse(process.argv[2]!) as ChildConfig;
process.argv.length = 1;
enableCompileCache(join(config.files, 'cache/compiled'));
const resolution = installResolution(config.moduleRoots);
const denials = config.dataFolder === undefined ? undefined : new Denials(config.dataFolder, config.files);
installAliases(config.aliases);
if (denials !== undefined) resolution.onSqlite = once(() => guardSqlite((path) => denials.refusal(path)));

const channel = new Channel(onFrame, leaveWithGroup);
// Output that the worker has not read yet waits in the pipe, not here: memory stays bounded, and marks stay in order.
for (const stream of [process.stdout, process.stderr])
  (stream as { _handle?: { setBlocking?(on: boolean): void } })._handle?.setBlocking?.(true);
watchExit(channel, () => watches?.current);
let parsing: ParseRequest | undefined;
let watches: Watches | undefined;
process.on('uncaughtException', (error: unknown) => {
  if (parsing !== undefined)
    return sendParsed({ dags: [], bundleFiles: [parsing.file], errors: [importFailure(error, parsing)] });
  const crash = crashOf(error);
  if (watches === undefined) runner.crash(crash);
  else watches.crash(crash);
  console.error(error);
  leave(1);
});

const { importFailure } = await import('@rondo/sdk');
const { Runner } = await import('./runner.ts');
const masker = new Masker();
const services = new ServiceClient(channel, masker);
const runner = new Runner(channel, config, resolution, denials, services, masker);
channel.send(FROM_CHILD.ready, '');
setImmediate(flushCompileCache);

function onFrame(frame: string): void {
  const body: unknown = JSON.parse(frame.slice(1));
  switch (frame[0]) {
    case TO_CHILD.attempt:
      return void runner.attempt(body as Assignment);
    case TO_CHILD.bind:
      return bind(body as BindFrame);
    case TO_CHILD.answer:
      return services.onAnswer(body as AnswerFrame);
    case TO_CHILD.abort:
      return runner.abort(body as AbortFrame);
    case TO_CHILD.callback:
      return void runner.callback(body as CallbackAssignment);
    case TO_CHILD.watch:
      // They come once the first beat has said that the bundle is loaded.
      return watches?.add(body as WatchFrame);
    case TO_CHILD.unwatch:
      return watches?.cancel(body as UnwatchFrame);
    case TO_CHILD.parse:
      return void parse(body as ParseRequest);
    default:
      throw new Error(`unknown frame ${JSON.stringify(frame.slice(0, 40))}`);
  }
}

function bind(frame: BindFrame): void {
  if (frame.watches === undefined) return runner.bind(frame);
  void watch(frame, frame.watches);
}

async function watch(frame: BindFrame, limits: WatchLimits): Promise<void> {
  const [{ Watches }, { loadBundle }] = await Promise.all([import('./watches.ts'), import('./bundle.ts')]);
  const bundle = await loadBundle(frame, resolution);
  const cacheFolder = join(config.files, 'cache');
  watches = new Watches(
    { channel, services, masker, denials, cacheFolder, settings: config.settings, file: frame.file, limits },
    bundle,
  );
}

async function parse(request: ParseRequest): Promise<void> {
  parsing = request;
  const { parseFile } = await import('./parse.ts');
  sendParsed(await parseFile(request, resolution));
}

function sendParsed(parsed: Parsed): void {
  const errors = parsed.errors.map((error) => ({
    ...error,
    message: denials?.explain(error.message) ?? error.message,
  }));
  channel.send(FROM_CHILD.parsed, JSON.stringify({ ...parsed, errors }));
  leaveWithGroup();
}

function crashOf(error: unknown): TaskError {
  if (!(error instanceof Error)) return { kind: 'exception', message: `thrown: ${String(error).slice(0, 4_096)}` };
  const { message, stack, name } = error;
  return {
    kind: 'exception',
    type: name,
    message: message.slice(0, 4_096),
    ...(stack === undefined ? {} : { stack: stack.slice(0, 12_288) }),
  };
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
