import { PARTITIONS_STREAM, SHARDS_STREAM, type PartitionsTaken, type ShardsTaken } from '@rondo/domain';
import {
  keyOfPartition,
  TOPICS,
  type AttemptReport,
  type PartitionOwner,
  type ReadyMessage,
  type ShardOwner,
} from '@rondo/contracts';
import type { Clock, EventStore, Ids, MessageBus } from '@rondo/ports';
import { Generations, type TakeOvers } from '../gateway/generations.ts';
import type { Effects } from './effects.ts';
import { envelope, traceOf } from './envelope.ts';

const RETRY_MS = 500;
const LOOK_MS = 1_000;
/** As many take-overs are looked back at: owners from before have nothing to say any more. */
const LOOK_BACK = 200;

const TAKE_OVERS: TakeOvers = {
  stream: SHARDS_STREAM,
  of: (data) => (JSON.parse(data) as ShardsTaken['data']).shards,
};

/** One of several schedulers. */
export interface SchedulerCluster {
  /** Unique to the process. */
  readonly scheduler: string;
}

export interface ShardsOptions extends SchedulerCluster {
  readonly store: EventStore;
  readonly bus: MessageBus;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Whether nobody else can have the shard now. */
  readonly isOwner: (shard: number) => boolean;
  /** Somebody else may have had these meanwhile: what is known of them is worth nothing. */
  readonly onReturn: (shards: readonly number[]) => void;
}

/**
 * I2: which shards this scheduler owns, and in which epoch, the revision of an event: gateways drop what comes from one that has been
 * followed by another. And the owners of partitions that it was asked by: the word of one before them does not count.
 */
export class Shards {
  private readonly options: ShardsOptions;
  private readonly owned = new Map<number, { readonly from: ShardOwner; isDoubtful: boolean }>();
  private readonly generations = new Map<number, number>();
  private readonly keys = new Map<number, string>();
  private readonly epochs: Generations;
  private seq = 0;
  private cancelTimer: (() => void) | undefined;
  private closed = false;

  constructor(options: ShardsOptions) {
    this.options = options;
    this.epochs = new Generations(options.store, options.clock, TAKE_OVERS, (shard) => this.compare(shard));
  }

  start(): Promise<void> {
    return this.epochs.start();
  }

  get size(): number {
    return this.owned.size;
  }

  shardOf(dagId: string): number {
    return this.options.bus.partitionOf(TOPICS.schedulerInbox, dagId);
  }

  /** Undefined: the shard is not, or may not be, this scheduler's. */
  ownerOf(shard: number): ShardOwner | undefined {
    const known = this.owned.get(shard);
    if (known === undefined) return undefined;
    if (!this.options.isOwner(shard)) known.isDoubtful = true;
    return known.isDoubtful ? undefined : known.from;
  }

  /** Resolves when the history says so. */
  async take(shards: readonly number[]): Promise<void> {
    if (this.cancelTimer === undefined) this.watch();
    const { store, clock, ids, scheduler } = this.options;
    const at = clock.now();
    const event: ShardsTaken = { type: 'ShardsTaken', data: { scheduler, shards, at } };
    const cause = { causationId: 'assignment', actor: `service:${scheduler}` };
    const recorded = envelope(event, traceOf(SHARDS_STREAM, ''), cause, at, ids);
    while (!this.closed)
      try {
        const [outcome] = await store.append([{ stream: SHARDS_STREAM, expected: 'any', events: [recorded] }]);
        if (outcome?.ok !== true) return;
        const epoch = outcome.revision + 1;
        await this.readOwners();
        for (const shard of shards) this.own({ shard, epoch });
        return;
      } catch {
        await new Promise<void>((resolve) => void clock.at(clock.now() + RETRY_MS, resolve));
      }
  }

  /** An earlier take-over of its own may be answered later. */
  private own(from: ShardOwner): void {
    const known = this.owned.get(from.shard)?.from.epoch ?? 0;
    if (from.epoch > known) this.owned.set(from.shard, { from, isDoubtful: false });
    this.compare(from.shard);
  }

  /** A take-over that was slow to be written may come after this one, though nobody acts on it: the higher number counts. */
  private compare(shard: number): void {
    const known = this.owned.get(shard);
    if (known !== undefined && known.from.epoch < this.epochs.of(shard)) known.isDoubtful = true;
  }

  /** A scheduler that was before this one was asked by them. */
  private async readOwners(): Promise<void> {
    const { store } = this.options;
    for await (const page of store.readStream(PARTITIONS_STREAM, { backwards: true, limit: LOOK_BACK }))
      for (const { data, revision } of page)
        for (const partition of (JSON.parse(data) as PartitionsTaken['data']).partitions)
          this.hear({ partition, generation: revision + 1 });
  }

  /** Not all that was to be told of it was told: it is to be taken anew. */
  doubt(shard: number): void {
    const known = this.owned.get(shard);
    if (known !== undefined) known.isDoubtful = true;
  }

  release(shards: Iterable<number>): void {
    for (const shard of shards) this.owned.delete(shard);
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.cancelTimer?.();
    await this.epochs.stop();
  }

  /** What a turn of the DAG says to gateways, from the entry on, bears the shard's epoch. */
  stamp(ready: Effects['ready'], first: number, from: ShardOwner): void {
    for (let i = first; i < ready.length; i++) {
      const { pool, message } = ready[i]!;
      ready[i] = { pool, message: { ...message, from: { ...from, seq: ++this.seq } } };
    }
  }

  /** A gateway has asked; from here on its predecessors' word does not count. */
  hear({ partition, generation }: PartitionOwner): void {
    if (generation > (this.generations.get(partition) ?? 0)) this.generations.set(partition, generation);
  }

  isSuperseded({ partition, generation }: PartitionOwner): boolean {
    return generation < (this.generations.get(partition) ?? 0);
  }

  isStale({ owner }: AttemptReport): boolean {
    return owner !== undefined && this.isSuperseded(owner);
  }

  /** What is open in the partitions, to their owners; each hears at last that this was all. */
  answer(stated: Effects['ready'], owned: readonly PartitionOwner[], from: ShardOwner, ready: Effects['ready']): void {
    const generations = new Map(owned.map(({ partition, generation }) => [partition, generation]));
    for (const { pool, message } of stated) {
      const generation = generations.get(this.partitionOf(pool));
      if (generation === undefined) continue;
      const body: ReadyMessage =
        message.kind === 'order' && message.restated !== undefined
          ? { ...message, restated: { ...message.restated, generation } }
          : message;
      ready.push({ pool, message: { ...body, from: { ...from, seq: ++this.seq } } });
    }
    for (const owner of owned) {
      const message: ReadyMessage = {
        kind: 'restated',
        shard: from.shard,
        ...owner,
        from: { ...from, seq: ++this.seq },
      };
      ready.push({ pool: this.keyOf(owner.partition), message });
    }
  }

  partitionOf(pool: string): number {
    return this.options.bus.partitionOf(TOPICS.tasksReady, pool);
  }

  keyOf(partition: number): string {
    const key = this.keys.get(partition) ?? keyOfPartition(partition, (each) => this.partitionOf(each));
    this.keys.set(partition, key);
    return key;
  }

  /** A group may give a shard back to a member that was away without telling it that it had lost it. */
  private watch(): void {
    const { clock, isOwner, onReturn } = this.options;
    this.cancelTimer = clock.at(clock.now() + LOOK_MS, () => {
      if (this.closed) return;
      this.watch();
      const back = [...this.owned.keys()].filter((shard) => this.ownerOf(shard) === undefined && isOwner(shard));
      if (back.length > 0) onReturn(back);
    });
  }
}
