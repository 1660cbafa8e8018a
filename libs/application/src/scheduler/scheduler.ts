import { TOPICS, type AttemptReport, type SchedulerMessage } from '@rondo/contracts';
import {
  StoreUnavailableError,
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
import { noEffects, type Effects } from './effects.ts';
import type { Blame } from './actors.ts';
import { ShardMemory } from './memory.ts';
import { WaitRouter } from '../waits/router.ts';
import { Timers } from './timers.ts';
import { Turn } from './turn.ts';

export interface SchedulerOptions {
  readonly store: EventStore;
  readonly bus: MessageBus;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Most instances that one mapping makes. Default 100,000. */
  readonly maxMapLength?: number;
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
}

/** Failures of one decision, in a row, after which it is left alone (I12). */
const POISON_LIMIT = 3;
const RETRY_MS = 50;
/** Before a store that could not be read is asked again. */
const STORE_RETRY_MS = 1_000;

/** Owns the DAGs of its shards: the only writer of their `dag-*` and `dagRun-*` streams. */
export class Scheduler {
  readonly meter: SchedulerMeter = { decideMs: 0, appendMs: 0, dispatchMs: 0, events: 0, appends: 0, batches: 0 };
  private readonly options: SchedulerOptions;
  private readonly memory: ShardMemory;
  private readonly assets: AssetWatch;
  private readonly router: WaitRouter;
  private readonly timers: Timers;
  private readonly failures = new Map<string, number>();
  private consumer: Consumer | undefined;
  private stopped = false;

  constructor(options: SchedulerOptions) {
    this.options = options;
    this.assets = new AssetWatch(options.store, options.clock, (dagIds) => this.look(dagIds));
    this.memory = new ShardMemory(options.store, options.blobs, this.assets);
    const { loader } = this.memory;
    const onProblem = (message: string): void => this.problem({ kind: 'wait', dagId: '', message });
    this.router = new WaitRouter({ ...options, loader, onProblem });
    this.timers = new Timers(options.clock, (dagId) => this.look([dagId]));
  }

  /** Takes its shards: loads their DAGs with open runs (I10), completes what was left undone, then works its inbox. */
  async start(): Promise<void> {
    const { bus } = this.options;
    await this.assets.start();
    await this.router.start();
    this.consumer = await bus.consume<SchedulerMessage>({
      topic: TOPICS.schedulerInbox,
      group: 'rondo-scheduler',
      maxBatch: 1_000,
      onAssigned: (partitions) => this.takeOver(new Set(partitions)),
      onRevoked: (partitions) => this.letGo(new Set(partitions)),
      onBatch: (messages) => this.onBatch(messages),
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.timers.clear();
    await this.router.stop();
    await this.assets.stop();
    await this.consumer?.close();
  }

  /** Runs that are out of the shard's work because their decision kept failing, with the reason (I12). */
  quarantine(): ReadonlyMap<string, string> {
    return this.memory.quarantined;
  }

  private async takeOver(partitions: ReadonlySet<number>): Promise<void> {
    const { bus } = this.options;
    const streams = await this.listDags();
    const dagIds = streams
      .map((s) => s.stream.slice('dag-'.length))
      .filter((id) => partitions.has(bus.partitionOf(TOPICS.schedulerInbox, id)));
    for (const dagId of dagIds) await this.process(dagId, []);
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

  private letGo(partitions: ReadonlySet<number>): void {
    for (const dagId of this.memory.dagIds())
      if (partitions.has(this.options.bus.partitionOf(TOPICS.schedulerInbox, dagId))) this.drop(dagId);
  }

  private drop(dagId: string): void {
    this.memory.drop(dagId);
    this.router.drop(dagId);
    this.timers.set(dagId, undefined);
  }

  private async onBatch(messages: readonly DeliveredMessage<SchedulerMessage>[]): Promise<void> {
    this.meter.batches++;
    const byDag = new Map<string, SchedulerMessage[]>();
    for (const { value } of messages) {
      const list = byDag.get(value.dagId);
      if (list === undefined) byDag.set(value.dagId, [value]);
      else list.push(value);
    }
    const effects = noEffects();
    await Promise.all(Array.from(byDag, ([dagId, list]) => this.process(dagId, list, effects)));
    await this.release(effects);
  }

  /** Decides about one DAG and appends. What fails is tried again with fresh memory; what keeps failing is quarantined. */
  private async process(dagId: string, messages: readonly SchedulerMessage[], shared?: Effects): Promise<void> {
    const effects = shared ?? noEffects();
    const blame: Blame = {};
    try {
      await this.takeTurn(dagId, messages, effects, blame);
    } catch (error) {
      this.drop(dagId);
      if (this.stopped) return;
      await this.onFailure(dagId, blame.runId, messages, error);
    }
    if (shared === undefined) await this.release(effects);
  }

  private async takeTurn(
    dagId: string,
    messages: readonly SchedulerMessage[],
    effects: Effects,
    blame: Blame,
  ): Promise<void> {
    const { clock, ids, store, maxMapLength } = this.options;
    const { memory, meter } = this;
    const fresh = !memory.has(dagId);
    const { actor, newer, news } = await memory.prepare(dagId, messages, blame);
    const begin = performance.now();
    const turn = new Turn(actor, { memory, ids, now: clock.now(), blame, fresh, newer, news, maxMapLength });
    turn.decide(messages);
    const { chain } = turn.batch;
    const decided = performance.now();
    const onWait = (message: string): void => this.problem({ kind: 'store-unavailable', dagId, message });
    let position = chain.length === 0 ? 0 : await appendChain(store, chain, clock, onWait, () => this.stopped);
    // What is stated again stands where it stood before.
    if (chain.length === 0 || fresh) position = Math.max(position, await store.head());
    const appended = performance.now();
    meter.decideMs += decided - begin;
    meter.appendMs += appended - decided;
    meter.appends += chain.length;
    for (const request of chain) meter.events += request.events.length;
    this.timers.set(dagId, turn.follow(position, effects));
    if (this.assets.listen(actor.state)) this.look([dagId]);
    if (turn.ended.length > 0) this.options.onDurable?.(turn.ended);
    // A command may name a DAG that does not exist: nothing of it is kept.
    if (actor.revision < 0) this.drop(dagId);
    if (this.failures.size > 0) this.forgive(dagId, turn.batch.runs.keys());
    meter.dispatchMs += performance.now() - appended;
  }

  /** Something of these DAGs is to be looked at that their turn finds by itself. */
  private look(dagIds: Iterable<string>): void {
    void this.publishInbox(Array.from(dagIds, (dagId) => ({ kind: 'tick', dagId, runIds: [] })));
  }

  private forgive(dagId: string, runIds: Iterable<string>): void {
    this.failures.delete(dagId);
    for (const runId of runIds) this.failures.delete(`${dagId}:${runId}`);
  }

  private async release(effects: Effects): Promise<void> {
    const { bus } = this.options;
    for (const change of effects.waits)
      if ('ended' in change) this.router.end(change.ended);
      else this.router.state(change);
    if (effects.ready.length > 0)
      await bus.publish(
        TOPICS.tasksReady,
        effects.ready.map(({ pool, message }) => ({ key: pool, value: message })),
      );
    if (effects.timetables.length > 0)
      await bus.publish(
        TOPICS.timetablesWanted,
        effects.timetables.map((value) => ({ key: value.dagId, value })),
      );
    if (effects.inbox.length > 0) await this.publishInbox(effects.inbox);
    if (effects.answers.length > 0)
      await bus.publish(
        TOPICS.commandAnswers,
        effects.answers.map((a) => ({ key: a.commandId, value: a })),
      );
  }

  private async publishInbox(messages: readonly SchedulerMessage[]): Promise<void> {
    if (!this.stopped)
      await this.options.bus.publish(
        TOPICS.schedulerInbox,
        messages.map((value) => ({ key: value.dagId, value })),
      );
  }

  private async onFailure(
    dagId: string,
    runId: string | undefined,
    messages: readonly SchedulerMessage[],
    error: unknown,
  ): Promise<void> {
    const problem = {
      dagId,
      ...(runId === undefined ? {} : { runId }),
      message: error instanceof Error ? error.message : String(error),
      ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}),
    };
    const isUnread = isAway(error);
    if (error instanceof OwnershipLostError) this.problem({ kind: 'ownership-lost', ...problem });
    // No fault of what was to be decided about.
    else if (isUnread) this.problem({ kind: 'store-unavailable', dagId, message: problem.message });
    else {
      this.problem({ kind: 'decision-failed', ...problem });
      const key = runId === undefined ? dagId : `${dagId}:${runId}`;
      const failures = (this.failures.get(key) ?? 0) + 1;
      this.failures.set(key, failures);
      if (failures >= POISON_LIMIT) {
        this.memory.quarantined.set(key, problem.message);
        this.problem({ kind: 'quarantined', ...problem });
        if (runId === undefined) return this.refuseAll(messages, problem.message);
      }
    }
    await this.pause(isUnread ? STORE_RETRY_MS : RETRY_MS);
    await this.publishInbox(messages.length > 0 ? messages : [{ kind: 'tick', dagId, runIds: [] }]);
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
    await this.release(effects);
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
