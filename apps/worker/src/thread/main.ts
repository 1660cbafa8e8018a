/** The worker's thread: children, journal and logs, so that neither child I/O nor a disk delays what decides (I9). */
import { randomUUID } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { failPoint, onFailPoint } from '@rondo/kernel';
import { Outbox } from '../outbox/outbox.ts';
import { Launcher, markOf } from '../pool/launcher.ts';
import { Parser } from '../pool/parser.ts';
import { ChildPool } from '../pool/pool.ts';
import { endRecorded, recordOf } from '../pool/processes.ts';
import { attemptWork, callbackWork } from '../pool/work.ts';
import { Triggerer } from '../triggerer/triggerer.ts';
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
const launcher = new Launcher({ ...options.launch, token });
const notice = (text: string): void => post({ kind: 'notice', text });
const pool = new ChildPool(
  {
    limits: options.limits,
    launcher,
    outbox,
    logs: stores.logs,
    secrets: options.secrets,
    materialise: (hash) => stores.bundles.materialise(hash),
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
  materialise: (hash) => stores.bundles.materialise(hash),
  onStarted: (pid) => pool.record(() => outbox.childStarted(recordOf(pid))),
  onEnded: (pid) => pool.record(() => outbox.childEnded(pid)),
  onReport: (_id, report) => {
    if (reports.push(report) === 1) schedule();
  },
  onCall: (attemptId, child, call) => post({ kind: 'call', attemptId, child, call }),
  onNotice: notice,
});
const parser = new Parser({
  launcher,
  ...options.parse,
  onStarted: (group) => pool.record(() => outbox.childStarted(group)),
  onEnded: (pid) => pool.record(() => outbox.childEnded(pid)),
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
      return pool.submit(message.works.split('\n').map(attemptWork));
    case 'callbacks':
      return pool.submit(message.works.split('\n').map(callbackWork));
    case 'watch':
      return triggerer.watch(message.works.split('\n'));
    case 'unwatch':
      return triggerer.unwatch(message.ids, message.reason);
    case 'acknowledge':
      return outbox.acknowledge(message.ids);
    case 'cancel':
      return pool.cancel(message.ids, message.reason, message.as);
    case 'answer':
      return answer(message);
    case 'parse':
      return void parser.parse(message.request).then((result) => post({ kind: 'parsed', result }));
    case 'stop':
      return void stop(message.graceMs);
  }
}

function answer({ child, attemptId, method, frame }: Extract<ToThread, { kind: 'answer' }>): void {
  if (!triggerer.answer(child, attemptId, method, frame)) pool.answer(child, attemptId, method, frame);
}

async function stop(graceMs: number): Promise<void> {
  await Promise.all([parser.stop(), pool.stop(graceMs), triggerer.stop()]);
  outbox.close();
  await stores.logs.close();
  await stores.close?.();
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
