import { randomUUID } from 'node:crypto';
import { embeddedBus } from '@rondo/adapter-embedded';
import { AttemptCalls, BusAdmission, BusCommands, Gateway, Scheduler, WorkerAgent } from '@rondo/application';
import { TOPICS, type DagCommand } from '@rondo/contracts';
import type { DagDefinition, DagVersion } from '@rondo/domain';
import type { AgentFrame, Clock, GatewayFrame, GatewayLine, MessageBus, RecordedEvent } from '@rondo/ports';
import { aDefinition, aTask, memoryEventStore, memorySessions, type MemorySessions } from '@rondo/testing';
import { memoryBlobs, ScriptedWorker } from './harness.ts';

const LEASE_MS = 3_000;
const PARTITIONS = 4;
const ACTOR = { kind: 'user', name: 'ada' } as const;
const ids = { uuid: randomUUID };
const clock: Clock = {
  now: Date.now,
  at(time, callback) {
    const timer = setTimeout(callback, Math.max(0, time - Date.now()));
    return () => clearTimeout(timer);
  },
};
const monotonic = (): number => performance.now();

/** Schedulers, gateways and workers over one bus and one history, as processes of their own would be. */
class Cluster {
  readonly bus = embeddedBus({ partitions: PARTITIONS, onError: () => undefined });
  readonly store = memoryEventStore();
  readonly blobs = memoryBlobs();
  readonly commands = new BusCommands(this.bus, clock, ids);
  readonly admission = new BusAdmission(this.bus, clock, ids);
  readonly schedulers: Scheduler[] = [];
  readonly gateways: { readonly gateway: Gateway; readonly sessions: MemorySessions }[] = [];
  readonly workers: { readonly agent: WorkerAgent; readonly session: ScriptedWorker }[] = [];
  readonly problems: string[] = [];

  async start(size: {
    readonly schedulers: number;
    readonly gateways: number;
    readonly workers: number;
  }): Promise<this> {
    await this.commands.start();
    await this.admission.start();
    for (let i = 0; i < size.gateways; i++) await this.addGateway();
    for (let i = 0; i < size.workers; i++) await this.addWorker();
    for (let i = 0; i < size.schedulers; i++) await this.addScheduler();
    return this;
  }

  /** What lies between workers and gateways. */
  lineOf: (line: GatewayLine) => GatewayLine = (line) => line;
  /** Of every worker. */
  release = '1';

  async addScheduler(): Promise<Scheduler> {
    const { store, bus, blobs } = this;
    const scheduler = new Scheduler({
      ...{ store, bus, blobs, clock, ids },
      cluster: { scheduler: `s${this.schedulers.length}` },
      onProblem: ({ kind, message }) => this.problems.push(`${kind}: ${message}`),
    });
    this.schedulers.push(scheduler);
    await scheduler.start();
    return scheduler;
  }

  async addGateway(): Promise<Gateway> {
    const { store, bus } = this;
    const sessions = memorySessions();
    const name = `g${this.gateways.length}`;
    const gateway = new Gateway({
      ...{ store, bus, clock, host: sessions.host },
      cluster: {
        gateway: name,
        release: '0.1.0',
        onProblem: (text) => this.problems.push(text),
        ids,
        monotonic,
        leaseMs: LEASE_MS,
        shards: PARTITIONS,
      },
    });
    this.gateways.push({ gateway, sessions });
    await gateway.start();
    return gateway;
  }

  async addWorker(): Promise<ScriptedWorker> {
    const session = new ScriptedWorker();
    const name = `w${this.workers.length}`;
    session.hello = { ...session.hello, worker: name };
    const lines = this.gateways.map(({ sessions }) => this.lineOf(sessions.line(name)));
    const agent = new WorkerAgent({
      ...{ session, lines, calls: new AttemptCalls(), clock, monotonic },
      ...{ boot: randomUUID(), release: this.release, endingMs: 100 },
    });
    this.workers.push({ agent, session });
    await agent.start();
    return session;
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map(({ agent }) => agent.leave(0, AbortSignal.abort())));
    await Promise.all(this.schedulers.map((scheduler) => scheduler.stop()));
    await Promise.all(this.gateways.map(({ gateway }) => gateway.stop(0)));
    await this.admission.stop();
    await this.commands.stop();
    await this.bus.close();
  }

  async publish(definition: DagDefinition): Promise<void> {
    const bundle = { hash: 'b', file: definition.file };
    const text = JSON.stringify({ definition, bundle } satisfies DagVersion);
    const version = await this.blobs.put(new TextEncoder().encode(text));
    await this.send(definition.dagId, { type: 'publishVersion', version, definition, bundle });
  }

  async send(dagId: string, command: DagCommand): Promise<void> {
    const answer = await this.commands.send({ dagId, actor: ACTOR, command }, 10_000);
    if (!answer.ok) throw new Error(answer.message);
  }

  trigger(dagId: string, runId: string): Promise<void> {
    return this.send(dagId, { type: 'triggerRun', runType: 'manual', triggeredBy: 'user', runId });
  }

  events(stream: string): readonly RecordedEvent[] {
    return this.store.events.filter((event) => event.stream === stream);
  }

  types(stream: string): readonly string[] {
    return this.events(stream).map(({ type }) => type);
  }

  async until(what: () => boolean): Promise<void> {
    for (let i = 0; i < 2_000; i++) {
      if (what()) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`it did not come to pass; problems: ${this.problems.join('; ')}`);
  }

  get running(): number {
    return this.workers.reduce((sum, { session }) => sum + session.assigned.size, 0);
  }

  get begun(): readonly string[] {
    return this.workers.flatMap(({ session }) => session.begun);
  }
}

let cluster: Cluster;
afterEach(() => cluster.stop());

const three = (dagId: string, pool = 'default_pool'): DagDefinition =>
  aDefinition(dagId, [
    aTask('a', { pool }),
    aTask('b', { pool, upstream: ['a'] }),
    aTask('c', { pool, upstream: ['b'] }),
  ]);

it('runs DAGs of every shard, each attempt once', async () => {
  cluster = await new Cluster().start({ schedulers: 2, gateways: 2, workers: 2 });
  const dags = ['d1', 'd2', 'd3', 'd4', 'd5'];
  for (const dagId of dags) await cluster.publish(three(dagId));
  for (const dagId of dags) for (const run of ['r1', 'r2']) await cluster.trigger(dagId, run);
  const streams = dags.flatMap((dagId) => ['r1', 'r2'].map((run) => `dagRun-${dagId}:${run}`));
  await cluster.until(() => streams.every((stream) => cluster.types(stream).includes('RunSucceeded')));
  expect(new Set(cluster.begun).size).toBe(cluster.begun.length);
  expect(cluster.begun).toHaveLength(30);
  await cluster.until(() => cluster.gateways.every(({ gateway }) => gateway.status().assigned === 0));
  const acknowledged = (): number => new Set(cluster.workers.flatMap(({ session }) => session.acknowledged)).size;
  await cluster.until(() => acknowledged() === 30);
});

it('goes on with another gateway while attempts run', async () => {
  cluster = await new Cluster().start({ schedulers: 1, gateways: 2, workers: 2 });
  for (const { session } of cluster.workers) session.outcome = () => undefined;
  await cluster.publish(three('d'));
  await cluster.trigger('d', 'r');
  await cluster.until(() => cluster.running === 1);
  const owner = cluster.gateways.find(({ gateway }) => gateway.status().assigned === 1)!;
  await owner.sessions.host.stop();
  await owner.gateway.stop(0);
  for (const { session } of cluster.workers) {
    session.outcome = () => ({ kind: 'success' });
    for (const id of [...session.assigned.keys()]) session.finish(id, { kind: 'success' });
  }
  await cluster.until(() => cluster.types('dagRun-d:r').includes('RunSucceeded'));
  expect(cluster.types('dagRun-d:r')).not.toContain('TaskLost');
  expect(cluster.begun).toHaveLength(3);
});

it('goes on with another scheduler while attempts run', async () => {
  cluster = await new Cluster().start({ schedulers: 2, gateways: 1, workers: 1 });
  const { session } = cluster.workers[0]!;
  session.outcome = () => undefined;
  const dags = ['d1', 'd2', 'd3', 'd4'];
  for (const dagId of dags) {
    await cluster.publish(three(dagId));
    await cluster.trigger(dagId, 'r');
  }
  await cluster.until(() => cluster.running === 4);
  await cluster.schedulers[0]!.stop();
  session.outcome = () => ({ kind: 'success' });
  for (const id of [...session.assigned.keys()]) session.finish(id, { kind: 'success' });
  await cluster.until(() => dags.every((dagId) => cluster.types(`dagRun-${dagId}:r`).includes('RunSucceeded')));
  expect(dags.flatMap((dagId) => cluster.types(`dagRun-${dagId}:r`))).not.toContain('TaskLost');
  expect(cluster.begun).toHaveLength(12);
});

it('reads again what the scheduler before it wrote after it was read', async () => {
  cluster = await new Cluster().start({ schedulers: 1, gateways: 1, workers: 1 });
  const { session } = cluster.workers[0]!;
  session.outcome = () => undefined;
  await cluster.publish(three('d'));
  await cluster.trigger('d', 'r');
  await cluster.until(() => cluster.running === 1);
  await cluster.schedulers[0]!.stop();
  const { store } = cluster;
  const append = store.append.bind(store);
  const key = { mapIndex: [], tryNumber: 1, leg: 1, at: Date.now() };
  const late = ['a', 'b'].map((taskId, n) => {
    const type = n === 0 ? 'TaskSucceeded' : 'TaskScheduled';
    return { id: randomUUID(), type, data: JSON.stringify({ taskId, ...key }), meta: '{}' };
  });
  const expected = cluster.events('dagRun-d:r').length - 1;
  let isSent = false;
  store.append = async (chain) => {
    if (!isSent && chain.some(({ stream }) => stream === 'dagRun-d:r')) {
      isSent = true;
      const [outcome] = await append([{ stream: 'dagRun-d:r', expected, events: late }]);
      expect(outcome?.ok).toBe(true);
    }
    return append(chain);
  };
  await cluster.addScheduler();
  session.outcome = () => ({ kind: 'success' });
  await cluster.until(() => cluster.types('dagRun-d:r').includes('RunSucceeded'));
  expect(cluster.types('dagRun-d:r').slice(expected + 1, expected + 4)).toEqual([
    ...['TaskSucceeded', 'TaskScheduled', 'RunTaken'],
  ]);
  expect(cluster.problems).toContainEqual(expect.stringContaining('ownership-lost'));
  expect(cluster.begun.map((id) => id.split(':')[2])).toEqual(['a', 'b', 'c']);
});

/** As a later release says it: with more in it, and other kinds between. */
const more = (value: object): object => ({ ...value, sinceLater: { of: 'a later release' } });

function sayingMore(bus: MessageBus): void {
  const publish = bus.publish.bind(bus);
  bus.publish = async (topic, messages) => {
    const [first] = messages;
    const unknown = [TOPICS.schedulerInbox, TOPICS.tasksReady].some((each) => each === topic);
    if (first !== undefined && unknown) await publish(topic, [{ key: first.key, value: { kind: 'polish' } as never }]);
    await publish(
      topic,
      messages.map(({ key, value }) => ({ key, value: more(value as object) as typeof value })),
    );
  };
}

function lineOfLater(line: GatewayLine): GatewayLine {
  const polish = { kind: 'polish' } as never;
  return {
    ...{ address: line.address, close: () => line.close(), fetchBundle: (hash) => line.fetchBundle(hash) },
    appendLog: (attempt, lines) => line.appendLog(attempt, lines),
    connect: async () => {
      const channel = await line.connect();
      return {
        peer: channel.peer,
        close: (reason) => channel.close(reason),
        send: (frame) => {
          channel.send(more(frame) as AgentFrame);
          if (frame.kind !== 'leaving') channel.send(polish);
        },
        listen: ({ onFrame, onClose }) =>
          channel.listen({
            onFrame: (frame) => {
              onFrame(more(frame) as GatewayFrame);
              onFrame(polish);
            },
            onClose,
          }),
      };
    },
  };
}

it('works with services of the next release, which say more', async () => {
  cluster = new Cluster();
  sayingMore(cluster.bus);
  cluster.lineOf = lineOfLater;
  cluster.release = '0.2.0';
  await cluster.start({ schedulers: 2, gateways: 2, workers: 2 });
  const dags = ['d1', 'd2', 'd3'];
  for (const dagId of dags) {
    await cluster.publish(three(dagId));
    await cluster.trigger(dagId, 'r');
  }
  await cluster.until(() => dags.every((dagId) => cluster.types(`dagRun-${dagId}:r`).includes('RunSucceeded')));
  expect(cluster.begun).toHaveLength(9);
  expect(new Set(cluster.begun).size).toBe(9);
  expect(cluster.problems).toEqual([]);
});

it('refuses a worker that is two releases away, and takes one of the next', async () => {
  cluster = new Cluster();
  cluster.release = '0.3.0';
  await cluster.start({ schedulers: 1, gateways: 1, workers: 1 });
  await cluster.until(() => cluster.problems.length > 0);
  expect(cluster.problems).toContain(
    "worker 'w0' is refused: release 0.3.0 does not work with release 0.1.0: they are more than one release apart",
  );
  expect(cluster.types('worker-w0')).toEqual([]);
  cluster.release = '0.2.0';
  await cluster.addWorker();
  await cluster.publish(three('d'));
  await cluster.trigger('d', 'r');
  await cluster.until(() => cluster.types('dagRun-d:r').includes('RunSucceeded'));
  expect(cluster.workers[0]!.session.begun).toEqual([]);
});

it('answers what the owner of a pool is asked', async () => {
  cluster = await new Cluster().start({ schedulers: 1, gateways: 2, workers: 1 });
  cluster.workers[0]!.session.outcome = () => undefined;
  await cluster.publish(three('d'));
  await cluster.trigger('d', 'r');
  await cluster.until(() => cluster.running === 1);
  expect(await cluster.admission.poolLoads(['default_pool', 'p'])).toEqual([
    { occupied: 1, deferred: 0, queued: 0 },
    { occupied: 0, deferred: 0, queued: 0 },
  ]);
  const demand = { pool: 'default_pool', poolSlots: 1, queue: 'default', priority: 1 };
  expect(await cluster.admission.admissionOf(cluster.begun[0]!, demand)).toMatchObject({ stand: 'admitted' });
});
