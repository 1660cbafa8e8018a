import {
  readInbox,
  TOPICS,
  type AttemptReport,
  type PartitionOwner,
  type SchedulerMessage,
  type ShardOwner,
} from '@rondo/contracts';
import type { DagState } from '@rondo/domain';
import {
  StoreUnavailableError,
  type AppendRequest,
  type BlobStore,
  type Clock,
  type Consumer,
  type DeliveredMessage,
  type EventStore,
  type Ids,
  type MessageBus,
  type StreamHead,
} from '@rondo/ports';
import { AssetWatch } from './asset-watch.ts';
import { appendChain, OwnershipLostError } from './append.ts';
import { fencesOf } from './fence.ts';
import { noEffects, type Effects } from './effects.ts';
import { Failures } from './failures.ts';
import { restate } from './consequences.ts';
import type { Blame, DagActor } from './actors.ts';
import { ShardMemory } from './memory.ts';
import { Outbox } from './outbox.ts';
import type { ErasedRun, RunEraser } from '../erasure/eraser.ts';
import type { RunKeyring } from '../erasure/keyring.ts';
import { sealedEventStore } from '../erasure/sealed-store.ts';
import { WaitRouter } from '../waits/router.ts';
import { Shards, type SchedulerCluster } from './shards.ts';
import { Timers } from './timers.ts';
import { Turn } from './turn.ts';

export interface SchedulerOptions {
  readonly store: EventStore;
  readonly bus: MessageBus;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly ids: Ids;
  /** The keys of sealed runs (I14). Absent: a run that is sealed cannot be written, and is quarantined. */
  readonly keyring?: RunKeyring;
  /** Carries out the erasures of runs. */
  readonly eraser?: RunEraser;
  /** Every run is sealed, whatever its DAG says. Default false. */
  readonly sealsAll?: boolean;
  /** Most instances that one mapping makes. Default 100,000. */
  readonly maxMapLength?: number;
  /** Undefined: it is the only scheduler, and its gateway is of the same process. */
  readonly cluster?: SchedulerCluster;
  /** The results of these attempts are durable, or of no use any more: their worker may forget them. */
  readonly onDurable?: (attempts: readonly AttemptReport[]) => void;
  readonly onProblem?: (problem: SchedulerProblem) => void;
}

export interface SchedulerProblem {
  readonly kind: 'quarantined' | 'decision-failed' | 'store-unavailable' | 'ownership-lost' | 'wait';
  /** Empty for a problem with waits of many DAGs. */
  readonly dagId: string;
  readonly runId?: string;
  readonly message: string;
  readonly stack?: string;
}

/** Time in milliseconds that deciding, appending and publishing took so far, and what was done. */
export interface SchedulerMeter {
  decideMs: number;
  appendMs: number;
  dispatchMs: number;
  events: number;
  appends: number;
  batches: number;
  /** Times that one DAG was decided about. */
  turns: number;
}

const RETRY_MS = 50;
/** DAGs of a new shard that are loaded at the same time. */
const TAKEN_AT_ONCE = 16;
/** Before a store that could not be read is asked again. */
const STORE_RETRY_MS = 1_000;

/** Owns the DAGs of its shards: the only writer of their `dag-*` and `dagRun-*` streams. */
export class Scheduler {
  readonly meter: SchedulerMeter = {
    decideMs: 0,
    appendMs: 0,
    dispatchMs: 0,
    events: 0,
    appends: 0,
    batches: 0,
    turns: 0,
  };
  private readonly options: SchedulerOptions;
  private readonly memory: ShardMemory;
  private readonly assets: AssetWatch;
  private readonly router: WaitRouter;
  private readonly timers: Timers;
  /** Undefined in the only scheduler. */
  private readonly shards: Shards | undefined;
  /** DAGs whose last turn failed, or whose shard is owned again: they are not in memory, and another turn of them is on its way. */
  private readonly failing = new Set<string>();
  private readonly failures: Failures;
  private readonly outbox: Outbox;
  /** Shards that are this scheduler's again, and of whose DAGs nothing is known yet. */
  private readonly unread = new Set<number>();
  /** In which epoch a DAG was taken from whoever had it before. What fails is taken once more: who has written meanwhile is not known. */
  private readonly taken = new Map<string, number>();
  private consumer: Consumer | undefined;
  private stopped = false;

  constructor(given: SchedulerOptions) {
    const { keyring } = given;
    const options = keyring === undefined ? given : { ...given, store: sealedEventStore(given.store, keyring) };
    this.options = options;
    this.assets = new AssetWatch(options.store, options.clock, (dagIds) => this.look([...dagIds]));
    this.memory = new ShardMemory(options.store, options.blobs, this.assets, keyring);
    const { loader } = this.memory;
    const onProblem = (message: string): void => this.problem({ kind: 'wait', dagId: '', message });
    this.router = new WaitRouter({ ...options, loader, onProblem });
    this.failures = new Failures(this.memory.quarantined);
    this.outbox = new Outbox({ bus: options.bus, router: this.router, eraser: options.eraser });
    this.timers = new Timers(options.clock, (dagId) => this.look([dagId]));
    if (options.cluster === undefined) return;
    this.shards = new Shards({
      ...options,
      ...options.cluster,
      // It is told of its first shards before it is told that it consumes.
      isOwner: (shard) => this.consumer?.isOwner(shard) ?? true,
      onReturn: (shards) => void this.takeBack(shards),
    });
  }

  /** Takes its shards: loads their DAGs with open runs (I10), completes what was left undone, then works its inbox. */
  async start(): Promise<void> {
    const { bus } = this.options;
    await this.assets.start();
    await this.router.start();
    await this.shards?.start();
    this.consumer = await bus.consume<SchedulerMessage>({
      topic: TOPICS.schedulerInbox,
      group: 'rondo-scheduler',
      read: readInbox,
      maxBatch: 1_000,
      onAssigned: (partitions) => this.takeOver(new Set(partitions)),
      onRevoked: (partitions) => this.letGo(new Set(partitions)),
      onBatch: (messages) => this.onBatch(messages),
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.outbox.close();
    this.options.eraser?.stop();
    this.timers.clear();
    await this.shards?.stop();
    await this.router.stop();
    await this.assets.stop();
    await this.consumer?.close();
  }

  /** Runs that are out of the shard's work because their decision kept failing, with the reason (I12). */
  quarantine(): ReadonlyMap<string, string> {
    return this.memory.quarantined;
  }

  /** Undefined in the only scheduler, which has them all. */
  get shardCount(): number | undefined {
    return this.shards?.size;
  }

  private async takeOver(shards: ReadonlySet<number>): Promise<void> {
    await this.shards?.take([...shards]);
    const dagIds = await this.dagsOf(shards);
    for (let at = 0; at < dagIds.length; at += TAKEN_AT_ONCE)
      await Promise.all(dagIds.slice(at, at + TAKEN_AT_ONCE).map((dagId) => this.takeDag(dagId)));
  }

  private async takeDag(dagId: string): Promise<void> {
    try {
      await this.process(dagId, []);
    } catch (error) {
      if (this.shards === undefined) throw error;
      // A broker that is away: the shard is taken once more when it is back.
      this.drop(dagId);
      this.shards.doubt(this.shardOf(dagId));
    }
  }

  /** They may have been another's, and are this scheduler's again: everything is read anew, in turns like any other. */
  private async takeBack(shards: readonly number[]): Promise<void> {
    this.letGo(new Set(shards));
    for (const shard of shards) this.unread.add(shard);
    await this.shards?.take(shards);
    try {
      const dagIds = await this.dagsOf(new Set(shards));
      for (const dagId of dagIds) this.failing.add(dagId);
      for (const shard of shards) this.unread.delete(shard);
      this.look(dagIds);
    } catch {
      for (const shard of shards) this.shards?.doubt(shard);
    }
  }

  private async dagsOf(shards: ReadonlySet<number>): Promise<readonly string[]> {
    const streams = await this.listDags();
    return streams.map((s) => s.stream.slice('dag-'.length)).filter((id) => shards.has(this.shardOf(id)));
  }

  /** A store that is away is waited for: nobody else has these shards. */
  private async listDags(): Promise<readonly StreamHead[]> {
    for (;;)
      try {
        return await this.options.store.listStreams('dag-');
      } catch (error) {
        if (!isAway(error) || this.stopped) throw error;
        this.problem({ kind: 'store-unavailable', dagId: '', message: (error as Error).message });
        await this.pause(STORE_RETRY_MS);
      }
  }

  private letGo(shards: ReadonlySet<number>): void {
    this.shards?.release(shards);
    for (const shard of shards) this.unread.delete(shard);
    for (const dagId of this.failing) if (shards.has(this.shardOf(dagId))) this.failing.delete(dagId);
    for (const dagId of this.memory.dagIds()) if (shards.has(this.shardOf(dagId))) this.drop(dagId);
  }

  private shardOf(dagId: string): number {
    return this.options.bus.partitionOf(TOPICS.schedulerInbox, dagId);
  }

  /** Throws where the DAG is not owned; undefined in the only scheduler. */
  private ownerOf(dagId: string): ShardOwner | undefined {
    if (this.shards === undefined) return undefined;
    const from = this.shards.ownerOf(this.shardOf(dagId));
    if (from === undefined) throw new OwnershipLostError(`the shard of DAG '${dagId}' is not owned`);
    return from;
  }

  /** True in the only scheduler. */
  private owns(dagId: string): boolean {
    return this.shards === undefined || this.shards.ownerOf(this.shardOf(dagId)) !== undefined;
  }

  private drop(dagId: string): void {
    this.memory.drop(dagId);
    this.router.drop(dagId);
    this.timers.set(dagId, undefined);
  }

  private async onBatch(messages: readonly DeliveredMessage<SchedulerMessage>[]): Promise<void> {
    this.meter.batches++;
    const byDag = new Map<string, SchedulerMessage[]>();
    const asked = new Map<number, PartitionOwner[]>();
    for (const { value, partition } of messages) {
      if (value.kind === 'restate') {
        for (const owner of value.owned) this.shards?.hear(owner);
        asked.set(partition, [...(asked.get(partition) ?? []), ...value.owned]);
        continue;
      }
      const list = byDag.get(value.dagId);
      if (list === undefined) byDag.set(value.dagId, [value]);
      else list.push(value);
    }
    const effects = noEffects();
    const done = await Promise.all(Array.from(byDag, ([dagId, list]) => this.process(dagId, list, effects)));
    try {
      await this.outbox.release(effects);
    } catch (error) {
      // What follows was not told, or not all of it: read anew, the DAGs state it again when the messages come again.
      for (const dagId of byDag.keys()) this.drop(dagId);
      throw error;
    }
    for (const [shard, owners] of asked) done.push(await this.restateShard(shard, owners));
    // The messages come again, to whoever has the shard then.
    if (done.includes(false)) throw new OwnershipLostError('messages of a shard that is not owned are not done with');
  }

  /** False: the shard is not owned. To be called after everything else of the batch is told, so that what was said before it is either said again, or open no more. */
  private async restateShard(shard: number, owners: readonly PartitionOwner[]): Promise<boolean> {
    const { shards, memory } = this;
    if (shards === undefined) return true;
    if (this.unread.has(shard)) return false;
    for (const dagId of this.failing) if (this.shardOf(dagId) === shard) await this.process(dagId, []);
    const position = await this.options.store.head();
    const from = shards.ownerOf(shard);
    if (from === undefined) return false;
    const stated = noEffects();
    for (const dagId of memory.dagIds()) {
      const actor = memory.peek(dagId);
      if (actor !== undefined && this.shardOf(dagId) === shard) restate(actor, position, stated);
    }
    const current = owners.filter((owner) => !shards.isSuperseded(owner));
    const effects = noEffects();
    shards.answer(stated.ready, current, from, effects.ready);
    await this.outbox.release(effects);
    return true;
  }

  /**
   * Decides about one DAG and appends. What fails is tried again with fresh memory; what keeps failing is quarantined. False: the
   * messages are for whoever has the shard.
   */
  private async process(dagId: string, messages: readonly SchedulerMessage[], shared?: Effects): Promise<boolean> {
    const effects = shared ?? noEffects();
    const blame: Blame = {};
    try {
      await this.takeTurn(dagId, messages, effects, blame);
      this.failing.delete(dagId);
    } catch (error) {
      this.drop(dagId);
      this.taken.delete(dagId);
      if (this.stopped) return this.shards === undefined;
      this.failing.add(dagId);
      if (!(await this.onFailure(dagId, blame.runId, messages, error))) return false;
    }
    if (shared === undefined) await this.outbox.release(effects);
    return true;
  }

  private async takeTurn(
    dagId: string,
    messages: readonly SchedulerMessage[],
    effects: Effects,
    blame: Blame,
  ): Promise<void> {
    const { clock, ids, store, maxMapLength, sealsAll } = this.options;
    const { memory, meter } = this;
    // A turn is of one epoch from when it reads: after another the shard may have had another owner, whatever its appends answer.
    const from = this.ownerOf(dagId);
    if (from !== undefined && this.taken.get(dagId) !== from.epoch) this.drop(dagId);
    const fresh = !memory.has(dagId);
    const { actor, newer, news } = await memory.prepare(dagId, messages, blame);
    if (fresh && from !== undefined) await this.fence(actor, from);
    const begin = performance.now();
    const { shards } = this;
    const isStale = shards === undefined ? undefined : (report: AttemptReport): boolean => shards.isStale(report);
    const turn = new Turn(actor, {
      memory,
      ids,
      now: clock.now(),
      blame,
      fresh,
      newer,
      news,
      maxMapLength,
      sealsAll,
      isStale,
    });
    turn.decide(messages);
    const { chain } = turn.batch;
    if (this.options.keyring === undefined) refuseSealed(chain);
    const decided = performance.now();
    if (from?.epoch !== this.ownerOf(dagId)?.epoch)
      throw new OwnershipLostError(`the shard of DAG '${dagId}' is not owned as it was`);
    let position = chain.length === 0 ? 0 : await this.append(dagId, chain);
    // What is stated again stands where it stood before.
    if (chain.length === 0 || fresh) position = Math.max(position, await store.head());
    const appended = performance.now();
    meter.turns++;
    meter.decideMs += decided - begin;
    meter.appendMs += appended - decided;
    meter.appends += chain.length;
    for (const request of chain) meter.events += request.events.length;
    const first = effects.ready.length;
    const replies = turn.replies(shards);
    const wake = turn.follow(position, effects);
    for (const { replyTo, ids: durable } of replies)
      effects.ready.push({ pool: replyTo, message: { kind: 'durable', ids: durable } });
    if (!this.sign(dagId, effects, first, from)) return;
    this.timers.set(dagId, wake);
    if (this.assets.listen(actor.state)) this.look([dagId]);
    if (fresh && actor.state.erased.size > 0) void this.options.eraser?.resume(erasedOf(actor.state));
    if (turn.ended.length > 0) this.options.onDurable?.(turn.ended);
    // A command may name a DAG that does not exist: nothing of it is kept.
    if (actor.revision < 0) this.drop(dagId);
    this.failures.forgive(dagId, turn.batch.runs.keys());
    meter.dispatchMs += performance.now() - appended;
  }

  /**
   * I2: what a scheduler before this one has sent and the store not yet written is refused from here on, or has been read. In the
   * only scheduler there is nothing of the kind.
   */
  private async fence(actor: DagActor, from: ShardOwner): Promise<void> {
    const { clock, ids } = this.options;
    const { dagId } = actor;
    if (this.taken.get(dagId) === from.epoch) return;
    const fences = fencesOf(actor, { ...from, at: clock.now() }, ids);
    if (fences.length > 0) await this.append(dagId, fences);
    this.taken.set(dagId, from.epoch);
  }

  private append(dagId: string, chain: readonly AppendRequest[]): Promise<number> {
    const { store, clock } = this.options;
    const onWait = (message: string): void => this.problem({ kind: 'store-unavailable', dagId, message });
    return appendChain(store, chain, clock, onWait, () => this.stopped);
  }

  /**
   * What follows bears the epoch of the shard. False: the shard is another's meanwhile, who has read the append, as it came before
   * the fence, and says what follows.
   */
  private sign(dagId: string, effects: Effects, first: number, from: ShardOwner | undefined): boolean {
    if (this.shards === undefined) return true;
    if (from !== undefined && this.shards.ownerOf(from.shard)?.epoch === from.epoch) {
      this.shards.stamp(effects.ready, first, from);
      return true;
    }
    effects.ready.length = first;
    this.drop(dagId);
    return false;
  }

  /** Something of these DAGs is to be looked at that their turn finds by itself. */
  private look(dagIds: readonly string[]): void {
    this.outbox.inbox(dagIds.map((dagId) => ({ kind: 'tick', dagId, runIds: [] }))).catch(() => {
      for (const dagId of dagIds) this.shards?.doubt(this.shardOf(dagId));
    });
  }

  /** False: the shard is another's, and so are the messages. */
  private async onFailure(
    dagId: string,
    runId: string | undefined,
    messages: readonly SchedulerMessage[],
    error: unknown,
  ): Promise<boolean> {
    const problem = {
      dagId,
      ...(runId === undefined ? {} : { runId }),
      message: error instanceof Error ? error.message : String(error),
      ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}),
    };
    const isUnread = isAway(error);
    if (error instanceof OwnershipLostError) {
      this.problem({ kind: 'ownership-lost', ...problem });
      if (!this.owns(dagId)) return false;
    } else if (isUnread) this.problem({ kind: 'store-unavailable', dagId, message: problem.message });
    // The fault of what was to be decided about.
    else {
      this.problem({ kind: 'decision-failed', ...problem });
      if (this.failures.note(dagId, runId, problem.message)) {
        this.problem({ kind: 'quarantined', ...problem });
        if (runId === undefined) {
          await this.refuseAll(messages, problem.message);
          return true;
        }
      }
    }
    await this.pause(isUnread ? STORE_RETRY_MS : RETRY_MS);
    await this.outbox.inbox(messages.length > 0 ? messages : [{ kind: 'tick', dagId, runIds: [] }]);
    return true;
  }

  /** The DAG itself cannot be decided about: its commands are answered, so that nobody waits. */
  private async refuseAll(messages: readonly SchedulerMessage[], reason: string): Promise<void> {
    const effects = noEffects();
    for (const message of messages)
      if (message.kind === 'command')
        effects.answers.push({
          commandId: message.commandId,
          answer: { ok: false, code: 'quarantined', message: reason },
        });
    await this.outbox.release(effects);
  }

  private pause(ms: number): Promise<void> {
    const { clock } = this.options;
    return new Promise((resolve) => void clock.at(clock.now() + ms, resolve));
  }

  private problem(problem: SchedulerProblem): void {
    this.options.onProblem?.(problem);
  }
}

function isAway(error: unknown): boolean {
  return error instanceof StoreUnavailableError && error.retryable;
}

const erasedOf = ({ dagId, erased }: DagState): ErasedRun[] => Array.from(erased.keys(), (runId) => ({ dagId, runId }));

/** I14: a store without keys would have it in clear. */
function refuseSealed(chain: readonly AppendRequest[]): void {
  for (const { stream, events } of chain)
    for (const { type, seal } of events)
      if (seal !== undefined) throw new Error(`${type} of '${stream}' is to be sealed, and there is no store of keys`);
}
