import {
  Admission,
  attemptId,
  DEFAULT_POOL,
  instanceId,
  parseAttemptId,
  type Demand,
  type PoolLoad,
} from '@rondo/domain';
import { assertNever } from '@rondo/kernel';
import {
  TOPICS,
  type AdmissionAnswer,
  type AdmissionQueries,
  type AttemptReport,
  type ReadyMessage,
  type ReadyOrder,
  type SchedulerMessage,
} from '@rondo/contracts';
import {
  ALL_QUEUES,
  type CallbackAssignment,
  type Clock,
  type Consumer,
  type EventStore,
  type MessageBus,
  type WorkerHello,
  type WorkerReport,
  type WorkerSession,
} from '@rondo/ports';
import { Pace } from './pace.ts';
import { Watches } from './watches.ts';
import { PoolWatch } from './pool-watch.ts';
import { DeferredSlots } from './deferred-slots.ts';
import { explainAdmission } from './explain.ts';

export interface GatewayOptions {
  readonly bus: MessageBus;
  /** Where pools are set. */
  readonly store: EventStore;
  readonly clock: Clock;
  readonly session: WorkerSession;
  /** `sequential`: one attempt at a time; `local`: as many as the worker has slots. */
  readonly executor: 'sequential' | 'local';
  /** Most attempts at once over all pools. Default: the worker's slots. */
  readonly parallelism?: number;
  /** Told of the processes that attempts ran in. */
  readonly onPid?: (pid: number) => void;
}

interface Assigned {
  readonly order: ReadyOrder;
  readonly queuedAt: number;
}

/** A worker with more attempts than this for each slot will not idle while reports are gathered. */
const BUSY_FACTOR = 4;
const GATHER_REPORTS = 64;
const GATHER_MS = 1;

/**
 * Hands attempts that may run to a worker, by priority, and passes its reports on. An attempt takes the slots of its pool and
 * a place at the worker in one step, and gives both back when it ends. Its state is soft (I2).
 */
export class Gateway implements AdmissionQueries {
  /** Milliseconds that attempts ran, all together. */
  executedMs = 0;
  private readonly options: GatewayOptions;
  private readonly waiting: Admission<ReadyOrder>;
  private readonly deferred: DeferredSlots;
  private readonly pools: PoolWatch;
  private readonly assigned = new Map<string, Assigned>();
  /** Attempts whose end was passed on and is not durable yet: a restated order of one is dropped. */
  private readonly ended = new Set<string>();
  private readonly pace: Pace;
  private hello: WorkerHello | undefined;
  private slots = 0;
  private outbox: AttemptReport[] = [];
  private flushing = false;
  private cancelGathering: (() => void) | undefined;
  private consumer: Consumer | undefined;
  private readonly watches: Watches;
  private readonly callbacks = new Map<string, CallbackAssignment>();

  constructor(options: GatewayOptions) {
    this.options = options;
    this.pace = new Pace();
    this.watches = new Watches(options.session);
    this.waiting = new Admission([DEFAULT_POOL], { queue: () => false, executor: () => false });
    this.deferred = new DeferredSlots(this.waiting);
    this.pools = new PoolWatch(options.store, options.clock, (name, pool) => {
      this.waiting.setPool(name, pool);
      this.assign();
    });
  }

  /** Begins the worker's session first: what its last process left unfinished is known before any order is restated. */
  async start(): Promise<void> {
    await this.pools.start();
    await this.options.session.start({
      onHello: (hello) => this.onHello(hello),
      onReports: (reports) => this.onReports(reports),
    });
    this.consumer = await this.options.bus.consume<ReadyMessage>({
      topic: TOPICS.tasksReady,
      group: 'rondo-gateway',
      maxBatch: 2_000,
      onBatch: (messages) => {
        for (const { value } of messages) this.onReady(value);
        this.watches.flush();
        this.assign();
      },
    });
  }

  async stop(graceMs: number): Promise<void> {
    await this.pools.stop();
    await this.consumer?.close();
    await this.options.session.stop(graceMs);
  }

  /** The history has these results: worker and gateway may forget them. */
  durable(reports: readonly AttemptReport[]): void {
    const ids = reports.map((r) => attemptId(r.attempt));
    for (const id of ids) this.ended.delete(id);
    this.options.session.acknowledge(ids);
  }

  status(): { readonly worker: string; readonly slots: number; readonly waiting: number; readonly assigned: number } {
    return {
      worker: this.hello?.worker ?? '',
      slots: this.slots,
      waiting: this.waiting.size,
      assigned: this.assigned.size,
    };
  }

  admissionOf(id: string, demand: Demand): Promise<AdmissionAnswer> {
    if (this.assigned.has(id)) {
      const reason = `admitted: it is with worker '${this.hello?.worker ?? ''}'`;
      return Promise.resolve({ stand: 'admitted', reasons: [{ rule: 'admission', passed: true, reason }] });
    }
    const { slots, options } = this;
    const { executor } = options;
    const place = { executor, queues: this.hello?.queues ?? [], slots, assigned: this.assigned.size };
    const reasons = explainAdmission(this.waiting.standOf(this.waiting.orderOf(id) ?? demand), place);
    return Promise.resolve({ stand: this.waiting.has(id) ? 'waiting' : 'unknown', reasons });
  }

  poolLoads(names: readonly string[]): Promise<readonly PoolLoad[]> {
    return Promise.resolve(names.map((name) => this.waiting.load(name)));
  }

  private onHello(hello: WorkerHello): void {
    this.hello = hello;
    this.watches.onHello();
    const { executor, parallelism } = this.options;
    const slots = executor === 'sequential' ? 1 : hello.slots;
    this.slots = Math.min(slots, parallelism ?? slots);
    const queues = new Set(hello.queues);
    this.waiting.setService({
      queue: (name) => queues.has(ALL_QUEUES) || queues.has(name),
      // One at a time is a way to run locally.
      executor: (name) => name === executor || name === 'local',
    });
    for (const id of hello.interrupted) this.lose(id, 'the worker process that ran it ended');
    this.flush();
    this.assign();
  }

  private onReady(message: ReadyMessage): void {
    switch (message.kind) {
      case 'order':
        this.onOrder(message);
        return;
      case 'cancel':
        this.onCancel(message.ids, message.reason);
        return;
      case 'withdraw':
        this.onWithdraw(message.ids, message.reason);
        return;
      case 'reorder':
        for (const { id, ...rank } of message.ranks) this.waiting.replace(id, rank);
        return;
      case 'deferred':
        for (const hold of message.holds) this.deferred.state(hold);
        return;
      case 'undeferred':
        for (const instance of message.instances) this.deferred.forget(instance);
        return;
      case 'callback':
        if (this.callbacks.has(message.callback.id)) return;
        this.callbacks.set(message.callback.id, message.callback);
        this.options.session.runCallbacks([message.callback]);
        return;
      case 'watch':
        this.watches.onWatch(message.watch);
        return;
      case 'unwatch':
        this.watches.onUnwatch(message.ids);
        return;
      default:
        assertNever(message, 'message of a scheduler');
    }
  }

  /** I1: an order that is known is dropped. A restated one that was begun elsewhere, or may have been, is lost. */
  private onOrder(order: ReadyOrder): void {
    const { id } = order.assignment;
    if (this.waiting.has(id) || this.assigned.has(id) || this.ended.has(id)) return;
    if (order.restated !== undefined && (order.restated.acknowledged || this.hello?.journalIntact === false)) {
      this.lose(
        id,
        order.restated.acknowledged ? 'no worker has it any more' : 'the machine failed, so it may have been begun',
      );
      this.flush();
      return;
    }
    this.waiting.push(id, order);
  }

  private onCancel(ids: readonly string[], reason: string): void {
    const running: string[] = [];
    for (const id of ids) {
      if (this.waiting.remove(id)) this.lose(id, `${reason} before it began`);
      else if (this.assigned.has(id)) running.push(id);
    }
    if (running.length > 0) this.options.session.cancel(running, reason);
    this.flush();
  }

  /** One that has been admitted goes on: a hold is no cancellation. */
  private onWithdraw(ids: readonly string[], reason: string): void {
    for (const id of ids) {
      const attempt = this.waiting.orderOf(id)?.assignment.attempt;
      if (attempt === undefined) continue;
      this.waiting.remove(id);
      this.ended.add(id);
      this.outbox.push({ kind: 'withdrawn', attempt, at: this.options.clock.now(), reason });
    }
    this.flush();
  }

  /**
   * Fills the worker's slots, and a little more where attempts are so short that a slot would idle in between: but for a
   * worker that has more slots than may be used, which would begin them.
   */
  private assign(): void {
    const isLimited = this.slots < (this.hello?.slots ?? 0);
    const room = isLimited ? this.slots - this.assigned.size : this.pace.room(this.slots, this.assigned.size);
    if (room <= 0 || this.waiting.size === 0) return;
    const now = this.options.clock.now();
    const batch = [];
    for (let i = 0; i < room; i++) {
      const order = this.waiting.admit();
      if (order === undefined) break;
      const { assignment } = order;
      this.assigned.set(assignment.id, { order, queuedAt: now });
      batch.push(assignment);
    }
    if (batch.length > 0) this.options.session.assign(batch);
  }

  private onReports(reports: readonly WorkerReport[]): void {
    for (const report of reports) this.onReport(report);
    this.flush();
    this.assign();
  }

  private onReport(report: WorkerReport): void {
    if (report.kind === 'callback') {
      this.onCallback(report);
      return;
    }
    if (report.kind === 'waited') {
      const waited = this.watches.onWaited(report);
      if (waited !== undefined)
        void this.options.bus.publish(TOPICS.schedulerInbox, [{ key: waited.dagId, value: waited }]);
      return;
    }
    if (report.kind === 'lost') {
      this.lose(report.id, report.reason);
      return;
    }
    const known = this.assigned.get(report.id);
    const attempt = known?.order.assignment.attempt ?? parseAttemptId(report.id);
    if (attempt === undefined) return;
    const base = {
      attempt,
      queuedAt: known?.queuedAt ?? (report.kind === 'finished' ? report.startedAt : report.at),
      executor: this.options.executor,
      worker: this.hello?.worker ?? '',
    };
    if (report.kind === 'started') {
      this.pace.lasts();
      this.outbox.push({ kind: 'started', ...base, at: report.at, pid: report.pid });
      return;
    }
    this.release(report.id, report.outcome.kind === 'defer' || report.outcome.kind === 'trigger');
    this.ended.add(report.id);
    this.pace.finished(report.at - report.startedAt);
    this.executedMs += report.at - report.startedAt;
    this.options.onPid?.(report.pid);
    const { startedAt, at, pid, outcome, rendered, mapIndexName } = report;
    this.outbox.push({
      kind: 'finished',
      ...base,
      startedAt,
      at,
      pid,
      outcome,
      ...(rendered === undefined ? {} : { rendered }),
      ...(mapIndexName === undefined ? {} : { mapIndexName }),
    });
  }

  private onCallback(report: Extract<WorkerReport, { kind: 'callback' }>): void {
    const callback = this.callbacks.get(report.id);
    if (callback === undefined) return;
    this.callbacks.delete(report.id);
    const { dagId, runId, attempt } = callback;
    const message: SchedulerMessage = {
      kind: 'callbackDone',
      dagId,
      runId,
      callback: callback.callback,
      at: report.at,
      ...(attempt === undefined ? {} : { taskId: attempt.taskId, mapIndex: attempt.mapIndex }),
      ...(report.error === undefined ? {} : { error: report.error }),
      ...(report.past === undefined ? {} : { past: report.past }),
    };
    void this.options.bus.publish(TOPICS.schedulerInbox, [{ key: dagId, value: message }]);
  }

  /** What an attempt held is free, once; but for the slots of one that is deferred. */
  private release(id: string, isDeferred = false): void {
    const known = this.assigned.get(id);
    if (known === undefined) return;
    this.assigned.delete(id);
    if (isDeferred) this.deferred.keep(instanceId(known.order.assignment.attempt), known.order);
    else this.waiting.release(known.order);
  }

  private lose(id: string, reason: string): void {
    const attempt = this.assigned.get(id)?.order.assignment.attempt ?? parseAttemptId(id);
    this.release(id);
    if (attempt === undefined || this.ended.has(id)) return;
    this.ended.add(id);
    this.outbox.push({ kind: 'lost', attempt, at: this.options.clock.now(), reason });
  }

  /**
   * Passes the reports on, one message for each DAG. While the worker has plenty to go on with, a few are gathered first, so
   * that they share a decision and a commit; else they go at the end of this turn.
   */
  private flush(): void {
    if (this.outbox.length === 0) return;
    const isBusy = this.assigned.size > this.slots * BUSY_FACTOR && this.outbox.length < GATHER_REPORTS;
    if (isBusy) {
      const { clock } = this.options;
      this.cancelGathering ??= clock.at(clock.now() + GATHER_MS, () => this.passOn());
      return;
    }
    if (this.flushing) return;
    this.flushing = true;
    queueMicrotask(() => this.passOn());
  }

  private passOn(): void {
    this.cancelGathering?.();
    this.cancelGathering = undefined;
    this.flushing = false;
    const reports = this.outbox;
    this.outbox = [];
    const byDag = new Map<string, AttemptReport[]>();
    for (const report of reports) {
      const list = byDag.get(report.attempt.dagId);
      if (list === undefined) byDag.set(report.attempt.dagId, [report]);
      else list.push(report);
    }
    const messages = Array.from(byDag, ([dagId, list]) => ({
      key: dagId,
      value: { kind: 'reports', dagId, reports: list } satisfies SchedulerMessage,
    }));
    void this.options.bus.publish(TOPICS.schedulerInbox, messages);
  }
}
