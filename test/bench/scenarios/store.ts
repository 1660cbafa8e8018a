import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedEventStore } from '@rondo/adapter-embedded';
import type { NewEvent } from '@rondo/ports';
import { hostFacts, quantile, round, rssMiB } from '../host.ts';
import type { BenchOptions } from '../options.ts';

const META = JSON.stringify({
  correlationId: 'c'.repeat(32),
  causationId: 'extract:1.1',
  actor: 'service:gateway',
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  schema: 1,
  at: 1_700_000_000_000,
});
const event = (): NewEvent => ({
  id: randomUUID(),
  type: 'TaskSucceeded',
  data: '{"taskId":"extract","mapIndex":[],"tryNumber":1,"leg":1,"at":1700000000000}',
  meta: META,
});

/** Appends of 100 events a request, single events one after another, and a read of everything. */
export async function store(options: BenchOptions): Promise<object> {
  const events = options.events ?? 200_000;
  const folder = await mkdtemp(join(tmpdir(), 'rondo-bench-'));
  const target = await openEmbeddedEventStore({ folder });
  try {
    const batches = Math.ceil(events / 100);
    let begin = performance.now();
    let next = 0;
    const lane = async (stream: string): Promise<void> => {
      for (let revision = -1; next < batches; revision += 100) {
        next++;
        await target.append([
          { stream, expected: revision < 0 ? 'noStream' : revision, events: Array.from({ length: 100 }, event) },
        ]);
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, i) => lane(`dagRun-bench:${i}`)));
    const appendSeconds = (performance.now() - begin) / 1_000;
    const singles: number[] = [];
    for (let i = 0; i < 1_000; i++) {
      const t = performance.now();
      await target.append([{ stream: `single-${i}`, expected: 'noStream', events: [event()] }]);
      singles.push(performance.now() - t);
    }
    const singleSeconds = singles.reduce((a, b) => a + b, 0) / 1_000;
    singles.sort((a, b) => a - b);
    begin = performance.now();
    let read = 0;
    for await (const page of target.readAll(0)) read += page.length;
    const readSeconds = (performance.now() - begin) / 1_000;
    return {
      scenario: 'store',
      size: batches * 100,
      seconds: round(appendSeconds, 3),
      perSecond: Math.round((batches * 100) / appendSeconds),
      p50Ms: quantile(singles, 0.5),
      p99Ms: quantile(singles, 0.99),
      singleAppendsPerSecond: Math.round(singles.length / singleSeconds),
      readsPerSecond: Math.round(read / readSeconds),
      rssMiB: rssMiB(),
      eventsPerTask: null,
      commitsPerTask: null,
      childPids: [],
      splitMs: { decide: 0, append: Math.round(appendSeconds * 1_000), dispatch: 0, execute: 0, project: 0 },
      host: hostFacts(),
    };
  } finally {
    await target.close();
    await rm(folder, { recursive: true, force: true });
  }
}
