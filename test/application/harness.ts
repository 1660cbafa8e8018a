import { createHash, randomUUID } from 'node:crypto';
import { embeddedBus } from '@rondo/adapter-embedded';
import {
  BusCommands,
  Gateway,
  Scheduler,
  sessionHost,
  type SchedulerOptions,
  type SchedulerProblem,
  type SessionHostOptions,
} from '@rondo/application';
import type { DagCommand } from '@rondo/contracts';
import type { AttemptOutcome, DagDefinition, DagVersion, PastAnswers, TaskError, WaitAnswer } from '@rondo/domain';
import type {
  Assignment,
  BlobStore,
  CallbackAssignment,
  Clock,
  EventStore,
  RecordedEvent,
  WatchAssignment,
  WorkerEvents,
  WorkerHello,
  WorkerSession,
} from '@rondo/ports';
import { memoryEventStore } from '@rondo/testing';

export interface CallbackEnd {
  readonly error?: TaskError;
  readonly past?: PastAnswers;
}

/** A worker whose attempts end when the test says so, or at once by a rule. */
export class ScriptedWorker implements WorkerSession {
  readonly assigned = new Map<string, Assignment>();
  readonly begun: string[] = [];
  readonly watched = new Map<string, WatchAssignment>();
  readonly cancelled: string[] = [];
  readonly acknowledged: string[] = [];
  readonly callbacks: CallbackAssignment[] = [];
  hello: WorkerHello = {
    worker: 'w1',
    slots: 4,
    queues: ['default'],
    running: [],
    interrupted: [],
    journalIntact: true,
  };
  /** Outcome of an attempt at once; undefined leaves it running. */
  outcome: (assignment: Assignment) => AttemptOutcome | undefined = () => ({ kind: 'success' });
  /** The end of a callback at once; undefined leaves it running. */
  callbackEnd: (callback: CallbackAssignment) => CallbackEnd | undefined = () => ({});
  private events: WorkerEvents | undefined;

  start(events: WorkerEvents): Promise<void> {
    this.events = events;
    events.onHello(this.hello);
    return Promise.resolve();
  }

  assign(assignments: readonly Assignment[]): void {
    for (const assignment of assignments) {
      this.assigned.set(assignment.id, assignment);
      this.begun.push(assignment.id);
      const outcome = this.outcome(assignment);
      if (outcome !== undefined) setImmediate(() => this.finish(assignment.id, outcome));
    }
  }

  watch(watches: readonly WatchAssignment[]): void {
    for (const watch of watches) this.watched.set(watch.id, watch);
  }

  unwatch(ids: readonly string[]): void {
    for (const id of ids) this.watched.delete(id);
  }

  waited(id: string, answer: WaitAnswer): void {
    this.watched.delete(id);
    this.events?.onReports([{ kind: 'waited', id, at: Date.now(), answer }]);
  }

  started(id: string): void {
    this.events?.onReports([{ kind: 'started', id, at: Date.now(), pid: 42 }]);
  }

  finish(id: string, outcome: AttemptOutcome): void {
    if (!this.assigned.delete(id)) return;
    this.events?.onReports([{ kind: 'finished', id, startedAt: Date.now(), at: Date.now(), pid: 42, outcome }]);
  }

  /** The same report once more, as after a reconnect. */
  repeat(id: string, outcome: AttemptOutcome): void {
    this.events?.onReports([{ kind: 'finished', id, startedAt: Date.now(), at: Date.now(), pid: 42, outcome }]);
  }

  runCallbacks(callbacks: readonly CallbackAssignment[]): void {
    this.callbacks.push(...callbacks);
    for (const callback of callbacks) {
      const end = this.callbackEnd(callback);
      if (end !== undefined) setImmediate(() => this.endCallback(callback.id, end));
    }
  }

  endCallback(id: string, end: CallbackEnd): void {
    this.events?.onReports([{ kind: 'callback', id, at: Date.now(), ...end }]);
  }

  cancel(ids: readonly string[]): void {
    this.cancelled.push(...ids);
    for (const id of ids)
      this.finish(id, { kind: 'failed', error: { kind: 'cancelled', message: 'cancelled' }, retryable: false });
  }

  acknowledge(ids: readonly string[]): void {
    this.acknowledged.push(...ids);
  }

  parse(): never {
    throw new Error('nothing is parsed here');
  }

  stop(): Promise<void> {
    this.events = undefined;
    return Promise.resolve();
  }
}

export const clock: Clock = {
  now: Date.now,
  at(time, callback) {
    const timer = setTimeout(callback, Math.max(0, time - Date.now()));
    return () => clearTimeout(timer);
  },
};
const ids = { uuid: randomUUID };
const ACTOR = { kind: 'user', name: 'ada' } as const;

/** Scheduler, gateway and commands over a store that outlives them. */
export class Node {
  readonly worker = new ScriptedWorker();
  readonly problems: SchedulerProblem[] = [];
  readonly bus = embeddedBus();
  readonly store: EventStore;
  readonly blobs: BlobStore;
  readonly scheduler: Scheduler;
  readonly gateway: Gateway;
  readonly commands: BusCommands;

  constructor(
    store: EventStore = memoryEventStore(),
    blobs: BlobStore = memoryBlobs(),
    change: Partial<SessionHostOptions> = {},
    sealing: Pick<SchedulerOptions, 'keyring' | 'eraser' | 'sealsAll'> = {},
  ) {
    this.store = store;
    this.blobs = blobs;
    this.commands = new BusCommands(this.bus, clock, ids);
    const host = sessionHost(this.worker, { executor: 'local', ...change });
    this.gateway = new Gateway({ bus: this.bus, store, clock, host });
    this.scheduler = new Scheduler({
      store,
      bus: this.bus,
      blobs,
      clock,
      ids,
      ...sealing,
      onDurable: (reports) => this.gateway.durable(reports),
      onProblem: (problem) => this.problems.push(problem),
    });
  }

  async start(): Promise<this> {
    await this.commands.start();
    await this.gateway.start();
    await this.scheduler.start();
    return this;
  }

  /** Ends this node as a crash would: what was in memory and on the bus is gone. */
  async crash(): Promise<void> {
    await this.worker.stop();
    await this.scheduler.stop();
    await this.commands.stop();
    await this.bus.close();
  }

  send(dagId: string, command: DagCommand) {
    return this.commands.send({ dagId, actor: ACTOR, command }, 5_000);
  }

  async publish(definition: DagDefinition): Promise<void> {
    const bundle = { hash: 'b', file: definition.file };
    const version = await this.blobs.put(
      new TextEncoder().encode(JSON.stringify({ definition, bundle } satisfies DagVersion)),
    );
    const answer = await this.send(definition.dagId, { type: 'publishVersion', version, definition, bundle });
    if (!answer.ok) throw new Error(answer.message);
  }

  async trigger(dagId: string, change: Partial<Extract<DagCommand, { type: 'triggerRun' }>> = {}): Promise<string> {
    const answer = await this.send(dagId, { type: 'triggerRun', runType: 'manual', triggeredBy: 'user', ...change });
    if (!answer.ok) throw new Error(answer.message);
    return String(answer.result['runId']);
  }

  async history(stream: string): Promise<readonly RecordedEvent[]> {
    const events: RecordedEvent[] = [];
    for await (const page of this.store.readStream(stream)) events.push(...page);
    return events;
  }

  async types(stream: string): Promise<readonly string[]> {
    return (await this.history(stream)).map((e) => e.type);
  }

  /** Resolves when the stream has an event of the type, with it. */
  async until(stream: string, type: string, count = 1): Promise<RecordedEvent> {
    for (let i = 0; i < 500; i++) {
      const found = (await this.history(stream)).filter((e) => e.type === type);
      if (found.length >= count) return found[count - 1]!;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`'${stream}' has no ${type}: ${(await this.types(stream)).join(', ')}`);
  }
}

export function memoryBlobs(): BlobStore {
  const blobs = new Map<string, Uint8Array>();
  return {
    put: (bytes) => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      blobs.set(hash, bytes);
      return Promise.resolve(hash);
    },
    get: (hash) => Promise.resolve(blobs.get(hash)),
  };
}
