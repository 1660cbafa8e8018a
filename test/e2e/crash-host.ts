/** A platform that is made to crash: asks for one run, always the same, and ends when it has ended. */
import 'reflect-metadata';
import { startPlatform } from '@rondo/standalone';
import type { FailPoint } from '@rondo/kernel';

const [data, dags, dagId] = process.argv.slice(2) as [string, string, string];
const spec = process.env['CRASH_AT'];
const at = spec?.lastIndexOf(':') ?? -1;
const failPoint =
  spec === undefined ? undefined : { point: spec.slice(0, at) as FailPoint, hit: Number(spec.slice(at + 1)) };

const platform = await startPlatform({
  data,
  dags,
  workers: 2,
  executor: 'local',
  http: undefined,
  env: process.env,
  failPoint,
});
process.stdout.write('ready\n');
const ended = new Promise<void>((resolve, reject) => {
  platform.store.subscribe({
    name: 'crash-host',
    after: 0,
    filter: { streamPrefixes: [`dag-${dagId}`], eventTypes: ['RunClosed'] },
    onBatch: (events) => {
      if (events.length > 0) resolve();
    },
    onDrop: reject,
  });
});
const actor = { kind: 'user', name: 'crash' } as const;
const command = { type: 'triggerRun', runType: 'manual', triggeredBy: 'user', runId: 'crash', key: 'crash' } as const;
const answer = await platform.commands.send({ dagId, actor, command });
if (!answer.ok) throw new Error(answer.message);
await ended;
await platform.readModels.settled(await platform.store.head(), 60_000);
await platform.stop();
process.stdout.write('ended\n');
process.exit(0);
