import { embeddedBus } from '@rondo/adapter-embedded';
import { Gateway } from '@rondo/application';
import {
  keyOfPartition,
  TOPICS,
  type AttemptReport,
  type PartitionOwner,
  type ReadyBody,
  type ReadyOrder,
  type SchedulerMessage,
} from '@rondo/contracts';
import { attemptId, type WorkerEvent } from '@rondo/domain';
import type {
  AgentHello,
  Assignment,
  Consumer,
  GatewayChannel,
  GatewayFrame,
  OwnedPartition,
  WorkerReport,
} from '@rondo/ports';
import { countingIds, fakeClock, memoryEventStore, memorySessions, type MemorySessions } from '@rondo/testing';

export const LEASE_MS = 30_000;
export const PARTITIONS = 2;
/** A pool of each partition. */
export const POOLS = ['p2', 'default_pool'] as const;

/** Bus, history, clock; gateways, one scheduler that is told what to say, and workers that do what they are told. */
export class World {
  readonly bus = embeddedBus({ partitions: PARTITIONS });
  readonly store = memoryEventStore();
  readonly clock = fakeClock();
  readonly scheduler = new FakeScheduler(this);
  readonly problems: string[] = [];
  /** Milliseconds that every gateway stood still: its timers are late by so much. */
  stoodMs = 0;
  private readonly ids = countingIds();
  private readonly nodes: GatewayNode[] = [];

  async start(): Promise<this> {
    await this.scheduler.start();
    for (const name of POOLS) {
      const data = JSON.stringify({ name, slots: 8, includeDeferred: true });
      const event = { id: this.ids.uuid(), type: 'PoolSet', data, meta: '{}' };
      await this.store.append([{ stream: `pool-${name}`, expected: 'noStream', events: [event] }]);
    }
    return this;
  }

  async gateway(name: string): Promise<GatewayNode> {
    const sessions = memorySessions();
    const node: GatewayNode = { name, sessions, isOwner: true, gateway: undefined! };
    const { bus, store, clock, ids } = this;
    const gateway = new Gateway({
      bus: {
        ...bus,
        publish: bus.publish.bind(bus),
        partitionOf: bus.partitionOf.bind(bus),
        consume: watched(node, bus),
      },
      ...{ store, clock, host: sessions.host },
      cluster: {
        ...{
          gateway: name,
          release: '1',
          ids,
          monotonic: () => clock.now() + this.stoodMs,
          leaseMs: LEASE_MS,
          shards: PARTITIONS,
        },
        onProblem: (message) => this.problems.push(message),
      },
    });
    Object.assign(node, { gateway });
    this.nodes.push(node);
    await gateway.start();
    await this.settle();
    return node;
  }

  worker(name: string, change: Partial<AgentHello> = {}): FakeWorker {
    return new FakeWorker(this, name, change);
  }

  /** As a crash: its sessions end, and its partitions are another's. */
  async kill(node: GatewayNode): Promise<void> {
    await node.sessions.host.stop();
    await node.gateway.stop(0);
    await this.settle();
  }

  async stop(): Promise<void> {
    for (const { gateway } of this.nodes) await gateway.stop(0);
    await this.bus.close();
  }

  /** Lets everything happen that does not wait for the time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 60; i++) await new Promise<void>((resolve) => void setImmediate(resolve));
  }

  /** Moves the time on in steps, so that whoever waits for it goes on in between. */
  async pass(ms: number, step = 1_000): Promise<void> {
    for (let left = ms; left > 0; left -= step) {
      this.clock.advance(Math.min(step, left));
      for (let i = 0; i < 12; i++) await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    await this.settle();
  }

  async workerEvents(name: string): Promise<readonly WorkerEvent[]> {
    const events: WorkerEvent[] = [];
    for await (const page of this.store.readStream(`worker-${name}`))
      for (const { type, data } of page) events.push({ type, data: JSON.parse(data) as unknown } as WorkerEvent);
    return events;
  }
}

export interface GatewayNode {
  readonly name: string;
  readonly gateway: Gateway;
  readonly sessions: MemorySessions;
  /** False: its clock says that somebody else may have its partitions. */
  isOwner: boolean;
}

function watched(node: GatewayNode, bus: World['bus']): World['bus']['consume'] {
  return async (options) => {
    const consumer: Consumer = await bus.consume(options);
    return { ...consumer, isOwner: (partition) => node.isOwner && consumer.isOwner(partition) };
  };
}

export function anOrder(task: string, change: Partial<ReadyOrder> = {}): ReadyOrder {
  const attempt = { dagId: 'd', runId: 'r', taskId: task, mapIndex: [], tryNumber: 1, leg: 1 };
  const assignment = { id: attemptId(attempt), attempt } as unknown as Assignment;
  return { kind: 'order', assignment, pool: 'default_pool', poolSlots: 1, queue: 'default', priority: 0, ...change };
}

export const idOf = (task: string): string => anOrder(task).assignment.id;

/** What the schedulers of all shards would say: it has the open attempts, and hears the reports. */
export class FakeScheduler {
  epoch = 1;
  /** Answers a new owner at once. */
  restates = true;
  readonly open = new Map<string, { readonly order: ReadyOrder; acknowledged: boolean }>();
  readonly reports: AttemptReport[] = [];
  readonly messages: SchedulerMessage[] = [];
  readonly replies: number[] = [];
  asked: { readonly shard: number; readonly owned: readonly PartitionOwner[] }[] = [];
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  async start(): Promise<void> {
    await this.world.bus.consume<SchedulerMessage>({
      topic: TOPICS.schedulerInbox,
      group: 'rondo-scheduler',
      onBatch: async (messages) => {
        for (const { value, partition } of messages) await this.onMessage(value, partition);
      },
    });
  }

  /** Publishes an attempt that may run. */
  async schedule(...orders: readonly ReadyOrder[]): Promise<void> {
    for (const order of orders) {
      this.open.set(order.assignment.id, { order, acknowledged: false });
      await this.say(order.pool, order);
    }
    await this.world.settle();
  }

  async say(key: string, body: ReadyBody, epoch = this.epoch, seq?: number): Promise<void> {
    const shard = this.shardOf('d');
    await this.world.bus.publish(TOPICS.tasksReady, [
      { key, value: { ...body, from: { shard, epoch, ...(seq === undefined ? {} : { seq }) } } },
    ]);
  }

  /** States the open attempts of the partitions, and that this was all. */
  async restate(shard: number, owned: readonly PartitionOwner[]): Promise<void> {
    const { bus } = this.world;
    const from = { shard, epoch: this.epoch };
    const tell = (key: string, value: object): Promise<void> =>
      bus.publish(TOPICS.tasksReady, [{ key, value: value as never }]);
    for (const { partition, generation } of owned) {
      if (shard === this.shardOf('d'))
        for (const { order, acknowledged } of this.open.values())
          if (bus.partitionOf(TOPICS.tasksReady, order.pool) === partition)
            await tell(order.pool, { ...order, restated: { acknowledged, generation }, from });
      const key = keyOfPartition(partition, (each) => bus.partitionOf(TOPICS.tasksReady, each));
      await tell(key, { kind: 'restated', shard, partition, generation, from });
    }
  }

  kinds(task: string): string[] {
    return this.reports.filter(({ attempt }) => attempt.taskId === task).map(({ kind }) => kind);
  }

  /** Says that results are in the history, to the partition that was named. */
  async durable(...tasks: readonly string[]): Promise<void> {
    const { bus } = this.world;
    const key = keyOfPartition(this.replies.at(-1)!, (each) => bus.partitionOf(TOPICS.tasksReady, each));
    for (const task of tasks) this.open.delete(idOf(task));
    await this.say(key, { kind: 'durable', ids: tasks.map(idOf) });
    await this.world.settle();
  }

  private shardOf(dagId: string): number {
    return this.world.bus.partitionOf(TOPICS.schedulerInbox, dagId);
  }

  private async onMessage(message: SchedulerMessage, shard: number): Promise<void> {
    if (message.kind === 'restate') {
      this.asked.push({ shard, owned: message.owned });
      if (this.restates) await this.restate(shard, message.owned);
      return;
    }
    if (message.kind !== 'reports') return void this.messages.push(message);
    if (message.replyTo !== undefined) this.replies.push(message.replyTo);
    for (const report of message.reports) {
      this.reports.push(report);
      const open = this.open.get(attemptId(report.attempt));
      if (open === undefined) continue;
      if (report.kind === 'started') open.acknowledged = true;
      else this.open.delete(attemptId(report.attempt));
    }
  }
}

/** A worker's end of its sessions with gateways: it notes what it is handed, and reports when it is told to. */
export class FakeWorker {
  readonly name: string;
  readonly hello: AgentHello;
  /** By gateway. */
  readonly lines = new Map<string, WorkerLine>();
  /** Attempts that it runs, with their partition. */
  readonly running = new Map<string, number>();
  readonly ended = new Map<string, number>();
  /** Every attempt that it was handed, as often as it was. */
  readonly handed: string[] = [];
  readonly cancelled: string[] = [];
  readonly acknowledged: string[] = [];
  private readonly world: World;

  constructor(world: World, name: string, change: Partial<AgentHello>) {
    this.world = world;
    this.name = name;
    const about = { worker: name, boot: `${name}-1`, release: '1', slots: 2, queues: ['default'], labels: {} };
    const state = { executor: 'local', interrupted: [], journalIntact: true, draining: false };
    this.hello = { ...about, ...state, ...change };
  }

  async connect(node: GatewayNode, change: Partial<AgentHello> = {}): Promise<WorkerLine> {
    const channel = await node.sessions.line(this.name).connect();
    const line = new WorkerLine(this, channel, { ...this.hello, ...change });
    this.lines.set(node.name, line);
    await this.world.settle();
    return line;
  }

  async finish(task: string, node: GatewayNode): Promise<void> {
    const id = idOf(task);
    const partition = this.running.get(id) ?? 0;
    this.running.delete(id);
    this.ended.set(id, partition);
    const at = this.world.clock.now();
    await this.report(node, { kind: 'finished', id, startedAt: at, at, pid: 1, outcome: { kind: 'success' } });
  }

  async report(node: GatewayNode, ...reports: readonly WorkerReport[]): Promise<void> {
    this.lines.get(node.name)!.send({ kind: 'reports', reports });
    await this.world.settle();
  }

  /** Lets the time pass while it beats. */
  async live(ms: number, ...nodes: readonly GatewayNode[]): Promise<void> {
    for (let left = ms; left > 0; left -= LEASE_MS / 3) {
      for (const { name } of nodes) this.lines.get(name)!.beat();
      await this.world.pass(Math.min(left, LEASE_MS / 3));
    }
  }
}

export class WorkerLine {
  readonly frames: GatewayFrame[] = [];
  /** Answers a new owner at once. */
  claims = true;
  isClosed = false;
  private readonly worker: FakeWorker;
  private readonly channel: GatewayChannel;
  private beats = 0;

  constructor(worker: FakeWorker, channel: GatewayChannel, hello: AgentHello) {
    this.worker = worker;
    this.channel = channel;
    channel.listen({ onFrame: (frame) => this.onFrame(frame), onClose: () => (this.isClosed = true) });
    this.send({ kind: 'hello', hello });
    this.beat();
    this.send({ kind: 'offer', slots: hello.slots });
  }

  send(frame: Parameters<GatewayChannel['send']>[0]): void {
    this.channel.send(frame);
  }

  beat(): void {
    this.send({ kind: 'beat', n: ++this.beats });
  }

  close(): void {
    this.channel.close('cut');
  }

  of<K extends GatewayFrame['kind']>(kind: K): Extract<GatewayFrame, { kind: K }>[] {
    return this.frames.filter((frame): frame is Extract<GatewayFrame, { kind: K }> => frame.kind === kind);
  }

  claim(owned: readonly OwnedPartition[]): void {
    const { running, ended } = this.worker;
    const idsIn = (of: ReadonlyMap<string, number>, partition: number): string[] =>
      [...of].filter(([, at]) => at === partition).map(([id]) => id);
    const claims = owned.map((one) => ({
      ...one,
      running: idsIn(running, one.partition),
      ended: idsIn(ended, one.partition),
    }));
    this.send({ kind: 'claims', claims });
  }

  private onFrame(frame: GatewayFrame): void {
    this.frames.push(frame);
    const { worker } = this;
    if (frame.kind === 'generations' && this.claims) this.claim(frame.owned);
    if (frame.kind === 'cancel') worker.cancelled.push(...frame.ids);
    if (frame.kind === 'acknowledge')
      for (const id of frame.ids) if (worker.ended.delete(id)) worker.acknowledged.push(id);
    if (frame.kind !== 'assign') return;
    for (const { id } of frame.assignments) {
      worker.handed.push(id);
      worker.running.set(id, frame.partition);
    }
  }
}
