import {
  attemptId,
  DEFAULT_POOL,
  Admission,
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
import type { Assignment, Clock, Consumer, EventStore, MessageBus, SessionHost, WorkerReport } from '@rondo/ports';
import { DeferredSlots } from './deferred-slots.ts';
import { explainAdmission } from './explain.ts';
import { Links, type Link } from './links.ts';
import { Outbox } from './outbox.ts';
import { Callbacks, Places } from './places.ts';
import { PoolWatch } from './pool-watch.ts';
import { Watches } from './watches.ts';

export interface GatewayOptions {
  readonly bus: MessageBus;
  /** Where pools are set. */
  readonly store: EventStore;
  readonly clock: Clock;
  /** Where its workers come from. */
  readonly host: SessionHost;
  /** Told of the processes that attempts ran in. */
  readonly onPid?: (pid: number) => void;
}

export interface GatewayStatus {
  readonly workers: readonly WorkerStatus[];
  readonly slots: number;
  readonly waiting: number;
  readonly assigned: number;
}

export interface WorkerStatus {
  readonly worker: string;
  readonly isConnected: boolean;
  readonly isDraining: boolean;
  readonly slots: number;
  readonly assigned: number;
}

interface Assigned {
  readonly order: ReadyOrder;
  readonly queuedAt: number;
  readonly link: Link;
}

/** Workers with more attempts than this for each slot will not idle while reports are gathered. */
const BUSY_FACTOR = 4;

/**
 * Hands attempts that may run to workers, by priority, and passes their reports on. An attempt takes the slots of its pool and
 * a place at a worker in one step, and gives both back when it ends. Its state is soft (I2).
 */
export class Gateway implements AdmissionQueries {
  /** Milliseconds that attempts ran, all together. */
  executedMs = 0;
  private readonly options: GatewayOptions;
  private readonly waiting: Admission<ReadyOrder>;
  private readonly deferred: DeferredSlots;
  private readonly pools: PoolWatch;
  private readonly links: Links;
  private readonly outbox: Outbox;
  private readonly places: Places;
  private readonly watches: Watches;
  private readonly callbacks: Callbacks;
  private readonly assigned = new Map<string, Assigned>();
  /** Attempts whose end was passed on and is not durable yet, with who reported it: a restated order of one is dropped. */
  private readonly ended = new Map<string, Link | undefined>();
  private consumer: Consumer | undefined;

  constructor(options: GatewayOptions) {
    this.options = options;
    this.waiting = new Admission([DEFAULT_POOL], { queue: () => false, executor: () => false });
    this.deferred = new DeferredSlots(this.waiting);
    this.pools = new PoolWatch(options.store, options.clock, (name, pool) => {
      this.waiting.setPool(name, pool);
      this.assign();
    });
    this.links = new Links({
      onHello: (link) => this.onHello(link),
      onReports: (link, reports) => this.onReports(link, reports),
      onRoom: () => this.onRoom(),
      onClose: () => this.serve(),
      onFrame: () => undefined,
    });
    this.outbox = new Outbox({
      bus: options.bus,
      isBusy: () => this.assigned.size > this.links.slots * BUSY_FACTOR,
    });
    this.places = new Places(this.links);
    this.watches = new Watches(this.places);
    this.callbacks = new Callbacks(this.places);
  }

  /** Begins the worker's session first: what its last process left unfinished is known before any order is restated. */
  async start(): Promise<void> {
    const { host, bus } = this.options;
    await this.pools.start();
    await host.start((channel) => this.links.accept(channel));
    this.consumer = await bus.consume<ReadyMessage>({
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
    await this.options.host.stop(graceMs);
  }

  /** The history has these results: worker and gateway may forget them. */
  durable(reports: readonly AttemptReport[]): void {
    this.onDurable(reports.map((r) => attemptId(r.attempt)));
  }

  status(): GatewayStatus {
    const workers = Array.from(this.links, (link) => ({
      worker: link.name,
      isConnected: link.isOpen,
      isDraining: link.isDraining,
      slots: link.offered,
      assigned: link.attempts.size,
    }));
    return { workers, slots: this.links.slots, waiting: this.waiting.size, assigned: this.assigned.size };
  }

  admissionOf(id: string, demand: Demand): Promise<AdmissionAnswer> {
    const known = this.assigned.get(id);
    if (known !== undefined) {
      const reason = `admitted: it is with worker '${known.link.name}'`;
      return Promise.resolve({ stand: 'admitted', reasons: [{ rule: 'admission', passed: true, reason }] });
    }
    const taking = this.links.taking();
    const place = {
      executor: [...new Set(taking.map(({ hello }) => hello.executor))].join(', '),
      queues: [...new Set(taking.flatMap(({ hello }) => hello.queues))],
      slots: this.links.slots,
      assigned: this.assigned.size,
    };
    const reasons = explainAdmission(this.waiting.standOf(this.waiting.orderOf(id) ?? demand), place);
    return Promise.resolve({ stand: this.waiting.has(id) ? 'waiting' : 'unknown', reasons });
  }

  poolLoads(names: readonly string[]): Promise<readonly PoolLoad[]> {
    return Promise.resolve(names.map((name) => this.waiting.load(name)));
  }

  private onHello(link: Link): void {
    for (const id of link.hello.interrupted) this.lose(id, 'the worker process that ran it ended');
    this.outbox.flush();
    link.isReady = true;
    this.watches.onReady(link);
    this.callbacks.onReady(link);
  }

  private onRoom(): void {
    this.serve();
    this.assign();
  }

  /** Says to the admission what the workers take; `open`, where workers differ: those that have room. */
  private serve(open?: ReadonlyMap<Link, number>): void {
    const taking = this.links.taking();
    const queues = new Map<string, boolean>();
    this.waiting.setService({
      queue: (name) => {
        const known = queues.get(name) ?? taking.some((link) => link.serves(name));
        queues.set(name, known);
        return known;
      },
      executor: (name) => taking.some((link) => link.hasExecutor(name)),
      ...(open === undefined
        ? {}
        : { takes: (queue, executor) => [...open.keys()].some((link) => link.takes({ queue, executor })) }),
    });
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
        this.callbacks.onCallback(message.callback);
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
    const { restated } = order;
    if (restated === undefined) this.waiting.push(id, order);
    else if (restated.acknowledged) this.lose(id, 'no worker has it any more');
    else if (Array.from(this.links).some(({ hello }) => !hello.journalIntact))
      this.lose(id, 'the machine failed, so it may have been begun');
    else this.waiting.push(id, order);
    this.outbox.flush();
  }

  private onCancel(ids: readonly string[], reason: string): void {
    for (const id of ids)
      if (this.waiting.remove(id)) this.lose(id, `${reason} before it began`);
      else this.assigned.get(id)?.link.send({ kind: 'cancel', ids: [id], reason });
    this.outbox.flush();
  }

  /** One that has been admitted goes on: a hold is no cancellation. */
  private onWithdraw(ids: readonly string[], reason: string): void {
    for (const id of ids) {
      const attempt = this.waiting.orderOf(id)?.assignment.attempt;
      if (attempt === undefined) continue;
      this.waiting.remove(id);
      this.ended.set(id, undefined);
      this.outbox.push({ kind: 'withdrawn', attempt, at: this.options.clock.now(), reason });
    }
    this.outbox.flush();
  }

  /** Fills the workers' slots. Among workers that take an order the one with most room gets it. */
  private assign(): void {
    if (this.waiting.size === 0) return;
    const rooms = new Map<Link, number>();
    for (const link of this.links) {
      const { room } = link;
      if (room > 0) rooms.set(link, room);
    }
    if (rooms.size === 0) return;
    const { isMixed } = this.links;
    if (isMixed) this.serve(rooms);
    const now = this.options.clock.now();
    const batches = new Map<Link, Assignment[]>();
    while (rooms.size > 0) {
      const order = this.waiting.admit();
      if (order === undefined) break;
      const link = roomiest(rooms, order)!;
      const room = rooms.get(link)! - 1;
      if (room > 0) rooms.set(link, room);
      else if (rooms.delete(link) && isMixed) this.serve(rooms);
      const { assignment } = order;
      this.assigned.set(assignment.id, { order, queuedAt: now, link });
      link.attempts.add(assignment.id);
      const batch = batches.get(link);
      if (batch === undefined) batches.set(link, [assignment]);
      else batch.push(assignment);
    }
    for (const [link, assignments] of batches) link.send({ kind: 'assign', partition: 0, generation: 0, assignments });
  }

  private onReports(link: Link, reports: readonly WorkerReport[]): void {
    for (const report of reports) this.onReport(link, report);
    this.outbox.flush();
    this.assign();
  }

  private onReport(link: Link, report: WorkerReport): void {
    switch (report.kind) {
      case 'callback':
        this.onCallback(report);
        return;
      case 'waited': {
        const waited = this.watches.onWaited(report);
        if (waited !== undefined) this.outbox.send(waited);
        return;
      }
      case 'lost':
        this.lose(report.id, report.reason, link);
        return;
      case 'started':
      case 'finished':
        this.onAttempt(link, report);
        return;
      default:
        assertNever(report, 'report of a worker');
    }
  }

  private onAttempt(link: Link, report: Extract<WorkerReport, { kind: 'started' | 'finished' }>): void {
    const known = this.assigned.get(report.id);
    const attempt = known?.order.assignment.attempt ?? parseAttemptId(report.id);
    if (attempt === undefined) return;
    const base = {
      attempt,
      queuedAt: known?.queuedAt ?? (report.kind === 'finished' ? report.startedAt : report.at),
      executor: link.hello.executor,
      worker: link.name,
    };
    if (report.kind === 'started') {
      link.pace.lasts();
      this.outbox.push({ kind: 'started', ...base, at: report.at, pid: report.pid });
      return;
    }
    const { startedAt, at, pid, outcome, rendered, mapIndexName } = report;
    this.release(report.id, outcome.kind === 'defer' || outcome.kind === 'trigger');
    this.ended.set(report.id, link);
    link.pace.finished(at - startedAt);
    this.executedMs += at - startedAt;
    this.options.onPid?.(pid);
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
    const callback = this.callbacks.end(report.id);
    if (callback === undefined) return;
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
    this.outbox.send(message);
  }

  /** What an attempt held is free, once; but for the slots of one that is deferred. */
  private release(id: string, isDeferred = false): void {
    const known = this.assigned.get(id);
    if (known === undefined) return;
    this.assigned.delete(id);
    known.link.attempts.delete(id);
    if (isDeferred) this.deferred.keep(instanceId(known.order.assignment.attempt), known.order);
    else this.waiting.release(known.order);
  }

  private lose(id: string, reason: string, link?: Link): void {
    const attempt = this.assigned.get(id)?.order.assignment.attempt ?? parseAttemptId(id);
    this.release(id);
    if (attempt === undefined || this.ended.has(id)) return;
    this.ended.set(id, link);
    this.outbox.push({ kind: 'lost', attempt, at: this.options.clock.now(), reason });
  }

  private onDurable(ids: readonly string[]): void {
    const told = new Map<Link, string[]>();
    for (const id of ids) {
      const link = this.ended.get(id);
      this.ended.delete(id);
      for (const each of link === undefined ? this.links : [link]) {
        const list = told.get(each);
        if (list === undefined) told.set(each, [id]);
        else list.push(id);
      }
    }
    for (const [link, list] of told) link.send({ kind: 'acknowledge', ids: list });
  }
}

/** Of the workers that take the order. */
function roomiest(rooms: ReadonlyMap<Link, number>, order: ReadyOrder): Link | undefined {
  let best: Link | undefined;
  for (const [link, room] of rooms)
    if ((best === undefined || room > rooms.get(best)!) && link.takes(order)) best = link;
  return best;
}
