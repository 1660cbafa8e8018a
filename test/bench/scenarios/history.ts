import { createHash, randomUUID } from 'node:crypto';
import { fileBlobStore, openDataFolder, openEmbeddedEventStore } from '@rondo/adapter-embedded';
import { envelope, traceOf } from '@rondo/application';
import { schedulingOf, type DagDefinition, type DagVersion } from '@rondo/domain';
import type { AppendRequest, EventStore, NewEvent } from '@rondo/ports';
import { aDefinition, aTask } from '@rondo/testing';
import { meterOf, withPlatform } from '../bench-platform.ts';
import { round } from '../host.ts';
import type { BenchOptions } from '../options.ts';

const BIG_INSTANCES = 100_000;
const CAUSE = { causationId: 'bench', actor: 'service:bench' };
const AT = Date.UTC(2026, 0, 1);

/** Start on a history: one closed run in twenty events, a thousand open ones, one of them of a hundred thousand instances. */
export function recover(options: BenchOptions): Promise<object> {
  const events = options.events ?? 1_000_000;
  const counts = {
    closed: Math.floor(events / 20),
    open: Math.max(1, Math.floor(events / 1_000)),
    instances: Math.min(BIG_INSTANCES, Math.floor(events / 10)),
  };
  let written = 0;
  let begin = 0;
  return withPlatform(
    options,
    {},
    async ({ platform }) => {
      const seconds = (performance.now() - begin) / 1_000;
      const facts = meterOf(platform, true);
      return {
        scenario: 'recover',
        size: written,
        seconds: round(seconds, 3),
        perSecond: Math.round(written / seconds),
        p50Ms: round(seconds * 1_000),
        p99Ms: round(seconds * 1_000),
        ...counts,
        phasesMs: platform.startPhases,
        ...facts(0, seconds),
      };
    },
    async (data) => {
      written = await writeHistory(data, events, counts);
      begin = performance.now();
    },
  );
}

/** Rebuilds the read models of a history. */
export function replay(options: BenchOptions): Promise<object> {
  const events = options.events ?? 200_000;
  const counts = { closed: Math.floor(events / 17), open: 1, instances: 10 };
  let written = 0;
  return withPlatform(
    options,
    {},
    async ({ platform, caughtUp }) => {
      await caughtUp();
      const facts = meterOf(platform);
      const begin = performance.now();
      await platform.readModels.rebuild();
      await caughtUp();
      const seconds = (performance.now() - begin) / 1_000;
      return {
        scenario: 'replay',
        size: written,
        seconds: round(seconds, 3),
        perSecond: Math.round(written / seconds),
        p50Ms: round(seconds * 1_000),
        p99Ms: round(seconds * 1_000),
        ...facts(0, seconds),
      };
    },
    async (data) => {
      written = await writeHistory(data, events, counts);
    },
  );
}

interface Counts {
  readonly closed: number;
  readonly open: number;
  readonly instances: number;
}

async function writeHistory(data: string, events: number, counts: Counts): Promise<number> {
  const folder = await openDataFolder(data);
  const { paths } = folder;
  const store = await openEmbeddedEventStore({ folder: paths.folder });
  const blobs = fileBlobStore(paths.blobs);
  const small = aDefinition('small', [aTask('a'), aTask('b', { upstream: ['a'] }), aTask('c', { upstream: ['b'] })], {
    maxActiveRuns: 100_000,
  });
  const big = aDefinition(
    'big',
    Array.from({ length: counts.instances }, (_, i) => aTask(`t${i}`)),
    { maxActiveTasks: 16 },
  );
  const history = new Writer(store);
  const smallVersion = await history.publish(small, blobs);
  const bigVersion = await history.publish(big, blobs);
  for (let i = 0; i < counts.closed; i++)
    await history.run('small', smallVersion, `closed-${i}`, ['a', 'b', 'c'], true);
  for (let i = 1; i < counts.open; i++) await history.run('small', smallVersion, `open-${i}`, ['a'], false);
  const done = Math.min(counts.instances - 1, Math.max(0, Math.floor((events - history.written) / 4)));
  await history.run(
    'big',
    bigVersion,
    'huge',
    Array.from({ length: done }, (_, i) => `t${i}`),
    false,
  );
  await history.flush();
  await store.close();
  folder.release();
  return history.written;
}

/** Writes valid histories fast: whole requests, many in a chain. */
class Writer {
  written = 0;
  private readonly store: EventStore;
  private readonly revisions = new Map<string, number>();
  private chain: AppendRequest[] = [];
  private pending = 0;

  constructor(store: EventStore) {
    this.store = store;
  }

  async publish(definition: DagDefinition, blobs: { put(bytes: Uint8Array): Promise<string> }): Promise<string> {
    const { dagId } = definition;
    const bundle = { hash: createHash('sha256').update(dagId).digest('hex'), file: definition.file };
    const version = await blobs.put(
      new TextEncoder().encode(JSON.stringify({ definition, bundle } satisfies DagVersion)),
    );
    await this.add(`dag-${dagId}`, [
      [
        'DagVersionPublished',
        { version, file: definition.file, bundle: bundle.hash, scheduling: schedulingOf(definition) },
      ],
    ]);
    return version;
  }

  async run(dagId: string, version: string, runId: string, tasks: readonly string[], closed: boolean): Promise<void> {
    const base = { runId, runType: 'manual', logicalDate: null, dataInterval: null, runAfter: AT, triggeredBy: 'user' };
    await this.add(`dag-${dagId}`, [
      ['RunRequested', base],
      ['RunAdmitted', { runId, version }],
    ]);
    const events: [string, object][] = [['RunStarted', { ...base, dagId, version, at: AT }]];
    for (const taskId of tasks) {
      const key = { taskId, mapIndex: [], tryNumber: 1, leg: 1, at: AT };
      events.push(
        ['TaskScheduled', key],
        ['TaskQueued', { ...key, executor: 'local', worker: 'w' }],
        ['TaskStarted', { ...key, pid: 1 }],
        ['TaskSucceeded', key],
      );
    }
    if (closed) events.push(['RunSucceeded', { at: AT, reason: 'all_tasks_done' }]);
    for (let i = 0; i < events.length; i += 1_000)
      await this.add(`dagRun-${dagId}:${runId}`, events.slice(i, i + 1_000));
    if (closed) await this.add(`dag-${dagId}`, [['RunClosed', { runId, state: 'success' }]]);
  }

  async flush(): Promise<void> {
    if (this.chain.length > 0) await this.store.append(this.chain);
    this.chain = [];
    this.pending = 0;
  }

  private async add(stream: string, events: readonly (readonly [string, object])[]): Promise<void> {
    const revision = this.revisions.get(stream) ?? -1;
    const trace = traceOf('bench', stream);
    const sealed = events.map(([type, data]): NewEvent =>
      envelope({ type, data }, trace, CAUSE, AT, { uuid: randomUUID }),
    );
    this.chain.push({ stream, expected: revision < 0 ? 'noStream' : revision, events: sealed });
    this.revisions.set(stream, revision + events.length);
    this.written += events.length;
    this.pending += events.length;
    if (this.pending >= 5_000) await this.flush();
  }
}
