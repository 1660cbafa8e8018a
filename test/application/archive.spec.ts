import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fileBlobStore, fileLogStore, ReadModelService } from '@rondo/adapter-embedded';
import {
  Archives,
  BundleCheck,
  checkArchive,
  logsWithArchives,
  RunArchiver,
  verifyChains,
  withArchives,
  type RunArchiverOptions,
} from '@rondo/application';
import { eventHash, prevOf, type DagCommand } from '@rondo/contracts';
import type { AttemptRef } from '@rondo/domain';
import type { DagRunRow, EventStore, ProjectionModule, RecordedEvent } from '@rondo/ports';
import { aDefinition, aTask, memoryEventStore, type MemoryEventStore } from '@rondo/testing';
import { clock, Node } from './harness.ts';

const projection = (await import(import.meta.resolve('@rondo/projections'))) as ProjectionModule;
const TASKS = [aTask('a'), aTask('b', { upstream: ['a'], inputs: ['a'] })];
const ATTEMPT: AttemptRef = { dagId: 'd', runId: 'r', taskId: 'a', mapIndex: [], tryNumber: 1, leg: 1 };
const STREAM = 'dagRun-d:r';
const HALF_YEAR = 180 * 86_400_000;

let folder: string;
let history: MemoryEventStore;
let world: Awaited<ReturnType<typeof aWorld>>;

/** A platform whose history may be scavenged, and read models of it. */
async function aWorld() {
  folder = mkdtempSync(join(tmpdir(), 'rondo-archive-'));
  history = memoryEventStore();
  const blobs = fileBlobStore(join(folder, 'blobs'));
  const bare = fileLogStore(join(folder, 'logs'));
  const archives = new Archives(blobs, history);
  const store = withArchives(history, archives);
  const logs = logsWithArchives(bare, archives);
  const node = await new Node(store, blobs).start();
  node.worker.outcome = () => ({ kind: 'success', xcoms: { return_value: { value: 'Ada' } } });
  const problems: string[] = [];
  const time = { offset: 0 };
  const archiver = (change: Partial<RunArchiverOptions> = {}): RunArchiver =>
    new RunArchiver({
      ...{ store, logs, blobs, truncation: history, commands: node.commands, settleMs: 0 },
      bundles: new BundleCheck({ getManifest: async () => ({ files: {} }), readFile: async () => undefined }),
      readModels: { runs: (filter, page) => rows.queries.runs(filter, page) },
      clock: { ...clock, now: () => Date.now() + time.offset },
      isOwner: () => true,
      onProblem: (problem) => problems.push(problem),
      ...change,
    });
  let rows = await readModels(store, blobs, 'reads');
  return {
    ...{ node, blobs, bare, logs, store, problems, time, archiver },
    get rows() {
      return rows;
    },
    /** Drops the rows and makes them again from what is left of the history. */
    async rebuild(): Promise<void> {
      history.scavenge();
      await rows.close();
      rows = await readModels(store, blobs, `reads-${Math.random()}`);
    },
    async end(): Promise<void> {
      await node.crash();
      await rows.close();
      await bare.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function readModels(events: EventStore, blobs: ReturnType<typeof fileBlobStore>, name: string) {
  const service = new ReadModelService({ folder: join(folder, name), events, projection, blobs });
  await service.start();
  return service;
}

beforeEach(async () => {
  world = await aWorld();
  const { node, bare } = world;
  await node.publish(aDefinition('d', TASKS));
  await node.trigger('d', { runId: 'r', conf: { name: 'Ada' } });
  await node.until('dag-d', 'RunClosed');
  await bare.append(ATTEMPT, [{ at: 1, stream: 'stdout', text: 'hello' }]);
  await caughtUp();
});
afterEach(() => world.end());

async function caughtUp(): Promise<void> {
  const head = await history.head();
  for (let i = 0; i < 1_000 && world.rows.status.position < head; i++) await new Promise((done) => setTimeout(done, 2));
  expect(world.rows.status.position).toBe(head);
}

const send = (command: DagCommand) => world.node.send('d', command);
async function all(pages: AsyncIterable<readonly RecordedEvent[]>): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const page of pages) events.push(...page);
  return events;
}
const run = async (): Promise<DagRunRow> => (await world.rows.queries.run('d', 'r'))!;
async function details() {
  const { queries } = world.rows;
  const { items } = await queries.taskInstances({ dagId: 'd', runId: 'r' }, { offset: 0, limit: 10 });
  return { items, xcoms: await queries.xcoms('d', 'r') };
}

async function archived(archiver = world.archiver()): Promise<void> {
  await send({ type: 'archiveRun', runId: 'r' });
  await caughtUp();
  await archiver.turn();
  await caughtUp();
}

/** Every event of the stream carries the hash of the one before it. */
function expectChain(events: readonly RecordedEvent[]): void {
  let hash = '';
  for (const [at, { stream, revision, id, type, data, meta }] of events.entries()) {
    expect([revision, prevOf(meta)]).toEqual([at, hash]);
    hash = eventHash(stream, revision, id, type, data, meta);
  }
}

describe('an archived run', () => {
  it('leaves its last event in the history, and reads as before', async () => {
    const before = await all(world.store.readStream(STREAM));
    await archived();
    expect(world.problems).toEqual([]);
    const left = await all(history.readStream(STREAM));
    expect(left).toEqual([before.at(-1)]);
    expect(await all(world.store.readStream(STREAM))).toEqual(before);
    expectChain(before);
    const told = JSON.parse(history.events.find(({ type }) => type === 'RunArchived')!.data) as Record<string, unknown>;
    expect(told).toMatchObject({ runId: 'r', before: before.length - 1, hash: prevOf(left[0]!.meta) });
    expect(await checkArchive(world.blobs, String(told['archive']))).toMatchObject({ dagId: 'd', runId: 'r' });
  });

  it('reads from any revision, backwards and as of any time', async () => {
    const before = await all(world.store.readStream(STREAM));
    await archived();
    for (let from = 0; from < before.length; from++) {
      const upTo = before[from]!.position;
      for (const options of [{ from }, { upTo }, { from, limit: 2 }, { upTo, limit: 2 }, { from, upTo }])
        for (const backwards of [false, true]) {
          const wanted = before
            .filter(({ revision }) => !('from' in options) || (backwards ? revision <= from : revision >= from))
            .filter(({ position }) => !('upTo' in options) || position <= upTo);
          const expected = (backwards ? wanted.reverse() : wanted).slice(0, 'limit' in options ? 2 : undefined);
          expect(await all(world.store.readStream(STREAM, { ...options, backwards }))).toEqual(expected);
        }
    }
    expect(await all(world.store.readStream('dagRun-d:none', { upTo: 3 }))).toEqual([]);
    expect(await all(world.store.readStream('dagRun-d:none', { backwards: true }))).toEqual([]);
  });

  it('keeps its logs in the archive alone', async () => {
    await archived();
    expect((await world.bare.read(ATTEMPT)).lines).toEqual([]);
    expect(await world.logs.read(ATTEMPT)).toEqual({ lines: [{ at: 1, stream: 'stdout', text: 'hello' }], next: 1 });
    expect((await world.logs.read(ATTEMPT, 1)).lines).toEqual([]);
  });

  it('has a summary in the rows and nothing else, also when they are made again', async () => {
    const { startedAt, endedAt } = await run();
    await archived();
    const summary = await run();
    expect(summary).toMatchObject({ state: 'success', archive: 'archived', startedAt, endedAt });
    expect(await details()).toEqual({ items: [], xcoms: [] });
    await world.rebuild();
    await caughtUp();
    expect(await run()).toEqual(summary);
    expect(await details()).toEqual({ items: [], xcoms: [] });
  });

  it('takes no command until it is restored', async () => {
    await archived();
    for (const command of [
      { type: 'clearTasks', runId: 'r', selection: {} },
      { type: 'noteRun', runId: 'r', note: 'x' },
      { type: 'markRun', runId: 'r', state: 'failed' },
    ] as const)
      expect(await send(command)).toMatchObject({
        ok: false,
        code: 'conflict',
        message: expect.stringContaining('restore'),
      });
    expect(await send({ type: 'archiveRun', runId: 'r' })).toMatchObject({ ok: true });
  });

  it('is restored with all its rows, also when they are made again', async () => {
    const [runBefore, before] = [await run(), await details()];
    await archived();
    await world.rebuild();
    await caughtUp();
    expect(await send({ type: 'restoreRun', runId: 'r' })).toMatchObject({ ok: true });
    await caughtUp();
    for (let times = 0; times < 2; times++) {
      const { archive, archiveAt: _, ...restored } = await run();
      expect(archive).toBe('restored');
      expect({ ...restored, archive: null, archiveAt: null }).toEqual(runBefore);
      expect(await details()).toEqual(before);
      await world.rebuild();
      await caughtUp();
    }
  });

  it('goes on after it was restored, and is archived again whole', async () => {
    await archived();
    history.scavenge();
    await send({ type: 'restoreRun', runId: 'r' });
    expect(await send({ type: 'clearTasks', runId: 'r', selection: { taskIds: ['b'] } })).toMatchObject({ ok: true });
    await world.node.until('dag-d', 'RunClosed', 2);
    await world.bare.append({ ...ATTEMPT, taskId: 'b', tryNumber: 2 }, [{ at: 2, stream: 'stdout', text: 'again' }]);
    await caughtUp();
    const [whole, before] = [await all(world.store.readStream(STREAM)), await details()];
    expectChain(whole);
    await archived();
    history.scavenge();
    expect(await all(world.store.readStream(STREAM))).toEqual(whole);
    expect((await world.logs.read(ATTEMPT)).lines).toHaveLength(1);
    expect((await world.logs.read({ ...ATTEMPT, taskId: 'b', tryNumber: 2 })).lines).toHaveLength(1);
    await world.rebuild();
    await send({ type: 'restoreRun', runId: 'r' });
    await caughtUp();
    expect(await details()).toEqual(before);
  });
});

describe('the chains of a history', () => {
  it('are whole with runs in archives, before and after a scavenge', async () => {
    expect((await verifyChains(history)).faults).toEqual([]);
    await archived();
    for (let times = 0; times < 2; times++) {
      const { faults, events } = await verifyChains(history);
      expect(faults).toEqual([]);
      expect(events).toBeGreaterThan(5);
      history.scavenge();
    }
  });

  it('show what was changed, and what was taken away by somebody else', async () => {
    const kindsWith = async (change: (event: RecordedEvent) => RecordedEvent[]): Promise<string[]> => {
      const all = async function* (): AsyncGenerator<readonly RecordedEvent[]> {
        for await (const page of history.readAll(0)) yield page.flatMap(change);
      };
      return (await verifyChains({ readAll: all })).faults.map(({ kind, stream }) => `${kind} ${stream}`);
    };
    const isAt = ({ stream, revision }: RecordedEvent, at: number): boolean => stream === STREAM && revision === at;
    expect(await kindsWith((e) => [isAt(e, 2) ? { ...e, data: '{}' } : e])).toEqual([`changed ${STREAM}`]);
    expect(await kindsWith((e) => (isAt(e, 2) ? [] : [e]))).toEqual([`missing ${STREAM}`]);
    expect(await kindsWith((e) => (isAt(e, 0) ? [] : [e]))).toEqual([`missing ${STREAM}`]);
    await archived();
    history.scavenge();
    const last = (await all(history.readStream(STREAM)))[0]!.revision;
    expect(await kindsWith((e) => (isAt(e, last) ? [] : [e]))).toEqual([`missing ${STREAM}`]);
    const other = { meta: '{"prev":"rxPAQRVcB4o6Nw57UPsGpfcQrQemRheHmcNrbVMO0CU"}' };
    expect(await kindsWith((e) => [isAt(e, last) ? { ...e, ...other } : e])).toEqual([`changed ${STREAM}`]);
  });
});

describe('archiving', () => {
  const steps: Readonly<Record<string, (step: () => Promise<never>) => Partial<RunArchiverOptions>>> = {
    'before the archive is whole': (stop) => ({ blobs: { put: stop, get: (hash) => world.blobs.get(hash) } }),
    'before the stream is cut': (stop) => ({
      truncation: { truncate: stop, cutOf: (stream) => history.cutOf(stream) },
    }),
    'after the stream is cut': (stop) => ({
      truncation: {
        truncate: (stream, cut) => history.truncate(stream, cut).then(stop),
        cutOf: (stream) => history.cutOf(stream),
      },
    }),
    'after the logs are gone': (stop) => ({
      logs: { read: world.logs.read, deleteRun: (...ids) => world.bare.deleteRun(...ids).then(stop) },
    }),
    'before the DAG is told': (stop) => ({ commands: { send: stop } }),
  };

  it.each(Object.keys(steps))('goes on after a crash %s', async (name) => {
    const before = await all(world.store.readStream(STREAM));
    await archived(world.archiver(steps[name]!(() => Promise.reject(new Error('crash')))));
    expect(await run()).toMatchObject({ archive: 'archiving' });
    expect(await all(world.store.readStream(STREAM))).toEqual(before);
    await world.archiver().turn();
    await caughtUp();
    expect(await run()).toMatchObject({ archive: 'archived' });
    expect(await all(world.store.readStream(STREAM))).toEqual(before);
    expect((await world.logs.read(ATTEMPT)).lines).toHaveLength(1);
    expect(history.events.filter(({ type }) => type === 'RunArchived')).toHaveLength(1);
  });

  it('an owner that was followed by another does no more harm', async () => {
    let owns = true;
    const truncate: RunArchiverOptions['truncation']['truncate'] = async () => void (owns = false);
    await archived(world.archiver({ isOwner: () => owns, truncation: { truncate, cutOf: async () => undefined } }));
    expect((await world.bare.read(ATTEMPT)).lines).toHaveLength(1);
    expect(await run()).toMatchObject({ archive: 'archiving' });
  });

  it('takes runs whose retention is over, and restored ones after it is over again', async () => {
    const archiver = world.archiver({ retentionMs: HALF_YEAR });
    expect(await archiver.turn()).toBe(0);
    world.time.offset = HALF_YEAR + 1_000;
    for (let i = 0; i < 2; i++) {
      await archiver.turn();
      await caughtUp();
    }
    expect(await run()).toMatchObject({ archive: 'archived' });
    await send({ type: 'restoreRun', runId: 'r' });
    await caughtUp();
    world.time.offset = HALF_YEAR - 10_000;
    await world.archiver({ retentionMs: HALF_YEAR }).turn();
    await caughtUp();
    expect(await run()).toMatchObject({ archive: 'restored' });
  });

  it('leaves runs that are open, and those whose bundle is gone', async () => {
    world.node.worker.outcome = () => undefined;
    await world.node.trigger('d', { runId: 'open' });
    expect(await send({ type: 'archiveRun', runId: 'open' })).toMatchObject({ ok: false, code: 'conflict' });
    expect(await send({ type: 'archiveRun', runId: 'none' })).toMatchObject({ ok: false, code: 'not_found' });
    const bundles = new BundleCheck({ getManifest: async () => undefined, readFile: async () => undefined });
    await archived(world.archiver({ bundles }));
    expect(world.problems).toEqual([expect.stringContaining('the bundle')]);
    expect(await all(history.readStream(STREAM))).not.toHaveLength(1);
  });
});
