import { attemptId, type Demand, type PoolLoad } from '@rondo/domain';
import { assertNever } from '@rondo/kernel';
import {
  areNeighbours,
  readReady,
  tooFarApart,
  TOPICS,
  type AdmissionAnswer,
  type AdmissionQueries,
  type AdmissionQuestion,
  type AdmissionReply,
  type AttemptReport,
  type ReadyMessage,
  type ReadyOrder,
  type SchedulerMessage,
} from '@rondo/contracts';
import type {
  AgentHello,
  AttemptServices,
  Clock,
  Consumer,
  DeliveredMessage,
  EventStore,
  Ids,
  MessageBus,
  ParseRequest,
  ParseResult,
  SessionHost,
  WorkerReport,
} from '@rondo/ports';
import { Attempts, type QueueLoad } from './attempts.ts';
import { Crew } from './crew.ts';
import { Links, type Link, type OtherFrame } from './links.ts';
import { Outbox } from './outbox.ts';
import { Ownership } from './ownership.ts';
import { Parses } from './parses.ts';
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
  /** Undefined: it is the only gateway, and its workers end with it. */
  readonly cluster?: GatewayCluster;
  /** Told of the processes that attempts ran in. */
  readonly onPid?: (pid: number) => void;
}

/** One of several gateways, whose workers live on when it is gone. */
export interface GatewayCluster {
  /** Unique to the process. */
  readonly gateway: string;
  readonly release: string;
  readonly ids: Ids;
  /** Milliseconds that only grow, also while the process stands still (I3). */
  readonly monotonic: () => number;
  /** Default 120,000; the same for all gateways. */
  readonly leaseMs?: number;
  /** Partitions of the schedulers' inbox. Default 64. */
  readonly shards?: number;
  /** What attempts may ask for while they run. */
  readonly services?: AttemptServices;
  readonly onProblem?: (message: string) => void;
}

export const DEFAULT_LEASE_MS = 120_000;

export interface GatewayStatus {
  readonly workers: readonly WorkerStatus[];
  readonly slots: number;
  readonly waiting: number;
  readonly assigned: number;
  /** Of pools, where there are several gateways; and those whose attempts may not be handed out yet. */
  readonly partitions: number;
  readonly recovering: number;
}

export interface WorkerStatus {
  readonly worker: string;
  readonly boot: string;
  readonly release: string;
  readonly executor: string;
  readonly queues: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly isConnected: boolean;
  readonly isDraining: boolean;
  readonly slots: number;
  readonly assigned: number;
}

const aboutOf = ({ worker, boot, release, executor, queues, labels }: Link['hello']) => ({
  ...{ worker, boot, release, executor, queues, labels },
});

/** Workers with more attempts than this for each slot will not idle while reports are gathered. */
const BUSY_FACTOR = 4;

/** Hands attempts that may run to workers, by priority, and passes their reports on. */
export class Gateway implements AdmissionQueries {
  private readonly options: GatewayOptions;
  private readonly pools: PoolWatch;
  private readonly links: Links;
  private readonly outbox: Outbox;
  private readonly attempts: Attempts;
  private readonly places: Places;
  private readonly watches: Watches;
  private readonly callbacks: Callbacks;
  private readonly parses: Parses;
  /** Undefined in the only gateway. */
  private readonly ownership: Ownership | undefined;
  private readonly crew: Crew | undefined;
  private consumer: Consumer | undefined;

  constructor(options: GatewayOptions) {
    this.options = options;
    const { bus, store, clock, onPid, cluster } = options;
    this.links = new Links({
      onHello: (link, before) => this.onHello(link, before),
      refuse: (hello) => this.refusalOf(hello),
      onReports: (link, reports) => this.onReports(link, reports),
      onRoom: () => this.onRoom(),
      onClose: (link) => this.onClose(link),
      onFrame: (link, frame) => this.onFrame(link, frame),
    });
    const { links } = this;
    this.outbox = new Outbox({ bus, clock, isBusy: () => this.attempts.assigned.size > links.slots * BUSY_FACTOR });
    this.places = new Places(links);
    this.watches = new Watches(this.places);
    this.callbacks = new Callbacks(this.places);
    this.parses = new Parses(links);
    const owners = cluster === undefined ? undefined : (): Ownership => this.ownership!;
    this.attempts = new Attempts({ clock, links, outbox: this.outbox, onPid, owners });
    this.pools = new PoolWatch(store, clock, (name, pool) => {
      this.attempts.setPool(name, pool);
      this.assign();
    });
    if (cluster === undefined) return;
    this.crew = this.crewOf(cluster);
    this.ownership = this.ownershipOf(cluster, this.crew);
  }

  /** Milliseconds that attempts ran, all together. */
  get executedMs(): number {
    return this.attempts.executedMs;
  }

  /** Begins the sessions first: what the worker of this process left unfinished is known before any order is restated. */
  async start(): Promise<void> {
    const { host, bus } = this.options;
    await this.pools.start();
    await this.crew?.start();
    await this.ownership?.start();
    await host.start((channel) => this.links.accept(channel));
    this.consumer = await bus.consume<ReadyMessage>({
      topic: TOPICS.tasksReady,
      group: 'rondo-gateway',
      read: readReady,
      maxBatch: 2_000,
      onBatch: (messages) => this.onMessages(messages),
      ...(this.ownership === undefined
        ? {}
        : {
            onAssigned: (partitions) => this.ownership?.take(partitions),
            onRevoked: (partitions) => this.release(partitions),
          }),
    });
  }

  /** Gives its partitions back, then ends the sessions. */
  async stop(graceMs: number): Promise<void> {
    await this.pools.stop();
    await this.consumer?.close();
    await this.ownership?.stop();
    await this.options.host.stop(graceMs);
    await this.crew?.stop();
    this.outbox.close();
  }

  /** The history has these results: worker and gateway may forget them. */
  durable(reports: readonly AttemptReport[]): void {
    this.attempts.durable(reports.map((r) => attemptId(r.attempt)));
  }

  /** Lets a worker load a DAG file; waits while there is none. */
  parse(request: ParseRequest): Promise<ParseResult> {
    return this.parses.parse(request);
  }

  status(): GatewayStatus {
    const { links, attempts, ownership } = this;
    const workers = Array.from(links, (link) => ({
      ...aboutOf(link.hello),
      isConnected: link.isOpen,
      isDraining: link.isDraining,
      slots: link.offered,
      assigned: link.attempts.size,
    }));
    return {
      ...{ workers, slots: links.slots, waiting: attempts.size, assigned: attempts.assigned.size },
      ...{ partitions: ownership?.size ?? 0, recovering: ownership?.recovering ?? 0 },
    };
  }

  /** What scaling of workers goes by. */
  byQueue(): ReadonlyMap<string, QueueLoad> {
    return this.attempts.byQueue();
  }

  admissionOf(id: string, demand: Demand): Promise<AdmissionAnswer> {
    return Promise.resolve(this.attempts.admissionOf(id, demand));
  }

  poolLoads(names: readonly string[]): Promise<readonly PoolLoad[]> {
    return Promise.resolve(this.attempts.loads(names));
  }

  private crewOf(cluster: GatewayCluster): Crew {
    const { store, clock } = this.options;
    const { gateway, release, monotonic, leaseMs = DEFAULT_LEASE_MS, services } = cluster;
    return new Crew({
      ...{ store, clock, gateway, release, monotonic, leaseMs, services },
      links: this.links,
      attempts: this.attempts,
      ownership: () => this.ownership!,
      onReady: (link) => this.onLinkReady(link),
      onGone: (link) => this.onGone(link),
    });
  }

  private ownershipOf(cluster: GatewayCluster, crew: Crew): Ownership {
    const { bus, store, clock } = this.options;
    const { gateway, ids, monotonic, leaseMs = DEFAULT_LEASE_MS, shards, onProblem } = cluster;
    return new Ownership(
      {
        ...{ bus, store, clock, ids, gateway, monotonic, leaseMs, onProblem },
        ...(shards === undefined ? {} : { shards }),
        // It is told of its first partitions before it is told that it consumes.
        isOwner: (partition) => this.consumer?.isOwner(partition) ?? true,
        toBeHeard: () => crew.toBeHeard(),
        onGenerations: (owned) => crew.tell(owned),
        onMessage: (message, partition) => this.onReady(message, partition),
        onReady: () => {
          this.outbox.flush();
          this.assign();
        },
      },
      this.attempts,
    );
  }

  private release(partitions: readonly number[]): void {
    this.ownership?.release(partitions);
    this.crew?.release(partitions);
    for (const partition of partitions) {
      this.watches.drop(partition);
      this.callbacks.drop(partition);
    }
    this.assign();
  }

  private onHello(link: Link, before: Link['hello'] | undefined): void {
    for (const id of link.hello.interrupted) this.attempts.onLost(link, id, 'the worker process that ran it ended');
    this.outbox.flush();
    if (this.crew !== undefined) return this.crew.onHello(link, before);
    link.isReady = true;
    this.onLinkReady(link);
  }

  private onLinkReady(link: Link): void {
    this.watches.onReady(link);
    this.callbacks.onReady(link);
    this.parses.onReady();
    this.onRoom();
  }

  private onRoom(): void {
    this.attempts.serve();
    this.assign();
  }

  private refusalOf({ worker, release, attempt }: AgentHello): string | undefined {
    const { cluster } = this.options;
    if (attempt !== undefined) return 'this gateway has no executor that makes workers for one attempt';
    if (cluster === undefined || areNeighbours(cluster.release, release)) return undefined;
    const refusal = tooFarApart(cluster.release, release);
    cluster.onProblem?.(`worker '${worker}' is refused: ${refusal}`);
    return refusal;
  }

  private onClose(link: Link): void {
    this.attempts.serve();
    this.parses.onClose(link);
  }

  private onGone(link: Link): void {
    this.places.leave(link);
    this.watches.onGone(link);
    this.callbacks.onGone(link);
    this.outbox.flush();
    this.onRoom();
  }

  private onFrame(link: Link, frame: OtherFrame): void {
    if (frame.kind === 'parsed') this.parses.onParsed(frame.result);
    else this.crew?.onFrame(link, frame);
    this.outbox.flush();
  }

  private onMessages(messages: readonly DeliveredMessage<ReadyMessage>[]): void {
    if (this.ownership === undefined) for (const { value } of messages) this.onReady(value, 0);
    else this.ownership.onMessages(messages);
    this.watches.flush();
    this.outbox.flush();
    this.assign();
  }

  private assign(): void {
    this.attempts.assign();
    this.crew?.tellDemand();
  }

  private onReady(message: ReadyMessage, partition: number): void {
    switch (message.kind) {
      case 'order':
        this.onOrder(message);
        return;
      case 'cancel':
        this.attempts.cancel(message.ids, message.reason);
        return;
      case 'withdraw':
        this.attempts.withdraw(message.ids, message.reason);
        return;
      case 'reorder':
        this.attempts.reorder(message.ranks);
        return;
      case 'deferred':
        this.attempts.holdSlots(message.holds);
        return;
      case 'undeferred':
        this.attempts.freeSlots(message.instances);
        return;
      case 'callback':
        this.callbacks.onCallback(message.callback, partition);
        return;
      case 'watch':
        this.watches.onWatch(message.watch, partition);
        return;
      case 'unwatch':
        this.watches.onUnwatch(message.ids);
        return;
      case 'durable':
        this.attempts.durable(message.ids);
        return;
      case 'ask':
        this.answer(message.question);
        return;
      // Of a take-over, and done with there.
      case 'restated':
        return;
      default:
        assertNever(message, 'message of a scheduler');
    }
  }

  /** I1: an order that is known is dropped. A restated one that was begun elsewhere, or may have been, is lost. */
  private onOrder(order: ReadyOrder): void {
    const { attempts, ownership } = this;
    const { id } = order.assignment;
    if (attempts.isKnown(id)) return;
    const { restated } = order;
    if (restated === undefined) return attempts.push(order);
    const owner = ownership?.ownerOf(ownership.partitionOf(order.pool));
    if (restated.acknowledged) attempts.lose(id, 'no worker has it any more', undefined, owner);
    // Where there are several gateways a worker whose machine failed is a new one, and what it had is lost.
    else if (ownership === undefined && Array.from(this.links).some(({ hello }) => !hello.journalIntact))
      attempts.lose(id, 'the machine failed, so it may have been begun');
    else attempts.push(order);
  }

  private answer(question: AdmissionQuestion): void {
    const { attempts } = this;
    const reply: AdmissionReply =
      question.about === 'attempt'
        ? { questionId: question.id, attempt: attempts.admissionOf(question.attempt, question.demand) }
        : { questionId: question.id, pools: attempts.loads(question.names) };
    // Whoever asks waits no longer than it likes.
    void this.options.bus.publish(TOPICS.commandAnswers, [{ key: question.id, value: reply }]).catch(() => undefined);
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
        this.attempts.onLost(link, report.id, report.reason);
        return;
      case 'started':
        this.attempts.onStarted(link, report);
        return;
      case 'finished':
        this.attempts.onFinished(link, report);
        return;
      default:
        // Of a later release. It is not acknowledged, so the worker keeps what matters.
        report satisfies never;
    }
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
}
