/** The worker's thread: children, journal and logs, so that neither child I/O nor a disk delays what decides (I9). */
import { randomUUID } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { failPoint, onFailPoint } from '@rondo/kernel';
import type { ParseRequest, ParseResult } from '@rondo/ports';
import { Outbox } from '../outbox/outbox.ts';
import { BundleFolders } from '../pool/bundle-folders.ts';
import { Launcher, markOf } from '../pool/launcher.ts';
import { parseFailure, Parser } from '../pool/parser.ts';
import { ChildPool } from '../pool/pool.ts';
import { endRecorded, recordOf, type RecordedGroup } from '../pool/processes.ts';
import { attemptWork, callbackWork } from '../pool/work.ts';
import { Triggerer } from '../triggerer/triggerer.ts';
import { NO_GUARD, Warden } from '../warden/warden.ts';
import type { FromThread, ThreadOptions, ToThread } from './messages.ts';
import type { OpenWorkerStores } from './stores.ts';

/** A gateway that was told of a lost journal has written its losses down by then. */
const SETTLE_JOURNAL_MS = 60_000;

const options = workerData as ThreadOptions;
const port = parentPort!;
armFailPoint(options.failPoint);

let outgoing: FromThread[] = [];
let reports: string[] = [];

const token = randomUUID();
const outbox = new Outbox({ folder: options.folder, isFresh: options.isFreshDataFolder, token });
const { groups, token: formerToken } = outbox.leftBehind;
await endRecorded(groups, formerToken === undefined ? undefined : markOf(formerToken));

const { openWorkerStores } = (await import(options.stores.module)) as { readonly openWorkerStores: OpenWorkerStores };
const stores = await openWorkerStores(options.stores.options);
const notice = (text: string): void => post({ kind: 'notice', text });
const warden = options.warden
  ? new Warden({ folder: options.folder, token: markOf(token), onNotice: notice })
  : undefined;
const guard = warden ?? NO_GUARD;
const launcher = new Launcher({ ...options.launch, token });
const bundles = new BundleFolders(stores.bundles);
const pool = new ChildPool(
  {
    limits: options.limits,
    launcher,
    outbox,
    logs: stores.logs,
    secrets: options.secrets,
    guard,
    bundles,
  },
  {
    onReport: (_id, report) => {
      if (reports.push(report) === 1) schedule();
    },
    onCall: (attemptId, child, call) => post({ kind: 'call', attemptId, child, call }),
    onNotice: notice,
  },
);
const triggerer = new Triggerer({
  limits: options.triggerer,
  launcher,
  logs: stores.logs,
  secrets: options.secrets,
  bundles,
  onStarted: (pid) => onStarted(recordOf(pid)),
  onEnded,
  onReport: (_id, report) => {
    if (reports.push(report) === 1) schedule();
  },
  onCall: (attemptId, child, call) => post({ kind: 'call', attemptId, child, call }),
  onNotice: notice,
});
const parser = new Parser({
  launcher,
  ...options.parse,
  onStarted,
  onEnded,
});

port.on('message', (messages: readonly ToThread[]) => {
  for (const message of messages) receive(message);
});
const { worker, queues, limits } = options;
post({
  kind: 'hello',
  hello: {
    worker,
    slots: limits.slots,
    queues,
    running: [],
    interrupted: outbox.interrupted,
    journalIntact: outbox.isIntact,
  },
});
for (const report of outbox.unacknowledged()) if (reports.push(report) === 1) schedule();
pool.prestart(options.prestart);
if (!outbox.isIntact) setTimeout(() => pool.record(() => outbox.settle()), SETTLE_JOURNAL_MS).unref();

function receive(message: ToThread): void {
  switch (message.kind) {
    case 'assign':
      return pool.submit(message.works.split('\n').map(attemptWork), message.lease);
    case 'renew':
      return pool.renew(message.terms);
    case 'relet':
      return pool.relet(message.ids, message.lease);
    case 'callbacks':
      return pool.submit(message.works.split('\n').map(callbackWork));
    case 'watch':
      return triggerer.watch(message.works.split('\n'));
    case 'unwatch':
      return triggerer.unwatch(message.ids, message.reason);
    case 'acknowledge':
      if (outbox.acknowledge(message.ids)) pool.record(() => undefined);
      return;
    case 'cancel':
      return pool.cancel(message.ids, message.reason, message.as);
    case 'answer':
      return answer(message);
    case 'parse':
      return void parse(message.request).then((result) => post({ kind: 'parsed', result }));
    case 'stop':
      return void stop(message.graceMs);
  }
}

async function parse(request: ParseRequest): Promise<ParseResult> {
  if (request.bundle === undefined) return parser.parse(request);
  let root: string;
  try {
    root = await bundles.open(request.bundle);
  } catch (error) {
    return parseFailure(request, { message: `the bundle ${request.bundle} could not be unpacked: ${String(error)}` });
  }
  try {
    return await parser.parse({ ...request, root });
  } finally {
    bundles.free(request.bundle);
  }
}

/** A child that is none of the pool's: it has no lease of its own. */
function onStarted(group: RecordedGroup): void {
  guard.child(group, '');
  pool.record(() => outbox.childStarted(group));
}

function onEnded(pid: number): void {
  guard.gone(pid);
  pool.record(() => outbox.childEnded(pid));
}

function answer({ child, attemptId, method, frame }: Extract<ToThread, { kind: 'answer' }>): void {
  if (!triggerer.answer(child, attemptId, method, frame)) pool.answer(child, attemptId, method, frame);
}

async function stop(graceMs: number): Promise<void> {
  await Promise.all([parser.stop(), pool.stop(graceMs), triggerer.stop()]);
  outbox.close();
  await stores.logs.close();
  await stores.close?.();
  warden?.stop();
  post({ kind: 'stopped' });
  flush();
  port.close();
}

function post(message: FromThread): void {
  if (outgoing.push(message) === 1 && reports.length === 0) schedule();
}

/** Whatever one turn of the loop brings crosses to the main thread as one message. */
function schedule(): void {
  setImmediate(flush);
}

function flush(): void {
  if (reports.length > 0) {
    for (let i = 0; i < reports.length; i++) failPoint('report:before');
    outgoing.push({ kind: 'reports', reports: reports.join() });
  }
  const messages = outgoing;
  const sent = reports.length;
  outgoing = [];
  reports = [];
  if (messages.length > 0) port.postMessage(messages);
  for (let i = 0; i < sent; i++) failPoint('report:after');
}

function armFailPoint(wanted: ThreadOptions['failPoint']): void {
  if (wanted === undefined) return;
  let passed = 0;
  onFailPoint((point) => {
    if (point === wanted.point && ++passed === wanted.hit) process.kill(process.pid, 'SIGKILL');
  });
}
