import { setTimeout as pause } from 'node:timers/promises';
import type { Platform } from '@rondo/standalone';
import { meterOf, withPlatform } from '../bench-platform.ts';
import { quantile, round, rssMiB } from '../host.ts';
import type { BenchOptions } from '../options.ts';

const EVENTS = 500;
const RUN_STREAM = 'dagRun-wake:';

const source = (waiters: number): string => `import { Dag, task } from '@rondo/sdk';

export default new Dag({ id: 'wake', maxActiveTasks: 200_000, isPausedUponCreation: false }, () => {
  for (let i = 0; i < ${waiters}; i++)
    task('t' + i, (ctx) => ctx.defer({ wait: { kind: 'event', eventType: 'bench.wake', subject: 't' + i, lookBackFrom: ctx.run.runAfter.getTime() } }));
});
`;

/** N tasks wait for events, each for its own: how long it takes from an event to the end of the task that it wakes. */
export function wake(options: BenchOptions): Promise<object> {
  const waiters = options.tasks ?? 10_000;
  return withPlatform(options, { 'wake.ts': source(waiters) }, async (bench) => {
    const { platform } = bench;
    const before = rssMiB();
    const begin = performance.now();
    const waiting = seen(platform, 'TaskDeferred', waiters);
    await bench.trigger('wake');
    await waiting.all;
    await bench.caughtUp();
    const deferSeconds = (performance.now() - begin) / 1_000;
    const waitingMiB = rssMiB() - before;
    const measured = meterOf(platform);
    const latencies: number[] = [];
    const count = Math.min(EVENTS, waiters - 1);
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      const ended = seen(platform, 'TaskSucceeded', 1);
      await platform.store.head();
      const sent = performance.now();
      const event = { id: String(i), source: '/bench', type: 'bench.wake', subject: `t${i}` };
      await platform.sensorEvents.receive([event], 'user:bench');
      await ended.all;
      latencies.push(performance.now() - sent);
      // As events come in life: one after the other, on a platform that is at rest.
      await pause(2);
    }
    const seconds = (performance.now() - start) / 1_000;
    latencies.sort((a, b) => a - b);
    return {
      scenario: 'wake',
      size: waiters,
      seconds: round(seconds),
      perSecond: round(count / seconds),
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      maxMs: round(latencies.at(-1)!),
      deferSeconds: round(deferSeconds),
      waitingMiB,
      ...measured(count, seconds),
    };
  });
}

/** Resolves when so many more events of the type have been written to the run. */
function seen(platform: Platform, type: string, count: number): { readonly all: Promise<void> } {
  let left = count;
  const all = platform.store.head().then(
    (after) =>
      new Promise<void>((resolve, reject) => {
        const subscription = platform.store.subscribe({
          name: 'bench',
          after,
          filter: { streamPrefixes: [RUN_STREAM], eventTypes: [type] },
          onBatch: (events) => {
            left -= events.length;
            if (left > 0) return;
            void subscription.stop();
            resolve();
          },
          onDrop: reject,
        });
      }),
  );
  return { all };
}
