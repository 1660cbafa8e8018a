import {
  evolveWorker,
  mayHaveAttempts,
  UNKNOWN_WORKER,
  WORKER_PREFIX,
  workerStream,
  type WorkerEvent,
  type WorkerStand,
} from '@rondo/domain';
import type { AgentHello, Clock, EventStore, Position, RecordedEvent, Subscription } from '@rondo/ports';
import { stableId } from '../scheduler/asset-updates.ts';
import { envelope, traceOf } from '../scheduler/envelope.ts';

const RETRY_MS = 1_000;

export interface RosterOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly gateway: string;
  readonly leaseMs: number;
  /** This process of the worker is to be sent away when it is done. */
  readonly onDraining: (worker: string, boot: string) => void;
  /** The worker has gone; with `isDone`, it had nothing any more. */
  readonly onLeft: (worker: string, boot: string, isDone: boolean) => void;
}

/** Who works here, as the history says: every gateway writes it, and any that takes over reads it (I2). */
export class Roster {
  private readonly options: RosterOptions;
  private readonly stands = new Map<string, WorkerStand>();
  private subscription: Subscription | undefined;
  private cancelRetry: (() => void) | undefined;
  private closed = false;

  constructor(options: RosterOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    const head = await this.options.store.head();
    await this.read();
    this.follow(head);
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.cancelRetry?.();
    await this.subscription?.stop();
  }

  isDraining({ worker, boot }: AgentHello): boolean {
    const stand = this.stands.get(worker);
    return stand?.drainingSince !== undefined && stand.joined?.boot === boot;
  }

  /** Resolves when the history says so: before that nothing may be handed to the worker. */
  async join(hello: AgentHello, isWanted: () => boolean): Promise<void> {
    const { worker, boot, release, slots, queues, labels, executor } = hello;
    const stand = this.stands.get(worker) ?? UNKNOWN_WORKER;
    if (stand.joined?.boot === boot && stand.left === undefined) return;
    const at = this.options.clock.now();
    const data = { worker, boot, release, slots, queues, labels, executor, at };
    await this.append({ type: 'WorkerJoined', data }, `${boot} joined ${stand.joins}`, isWanted);
  }

  /** Said by each gateway whose lease of it is over, and by one that it has told. */
  async leave({ worker, boot }: AgentHello, reason: string, isDone: boolean): Promise<void> {
    const stand = this.stands.get(worker);
    if (stand?.joined?.boot !== boot || (stand.left !== undefined && (stand.left.isDone || !isDone))) return;
    const data = { worker, boot, at: this.options.clock.now(), reason, isDone };
    await this.append({ type: 'WorkerLeft', data }, `${boot} left ${stand.joins} ${isDone}`);
  }

  /** Whom a new owner has to hear, or to wait a lease for: as the history says now. */
  async toBeHeard(): Promise<readonly string[]> {
    const { clock, leaseMs } = this.options;
    await this.read();
    return [...this.stands].filter(([, stand]) => mayHaveAttempts(stand, clock.now(), leaseMs)).map(([name]) => name);
  }

  private async append(event: WorkerEvent, id: string, isWanted: () => boolean = () => true): Promise<void> {
    const { store, clock, gateway } = this.options;
    const { worker } = event.data;
    const stream = workerStream(worker);
    const ids = { uuid: () => stableId(`${stream} ${id}`) };
    const cause = { causationId: id, actor: `service:${gateway}` };
    const recorded = envelope(event, traceOf(stream, ''), cause, clock.now(), ids);
    for (;;)
      try {
        await store.append([{ stream, expected: 'any', events: [recorded] }]);
        return;
      } catch (error) {
        if (this.closed || !isWanted()) throw error;
        await new Promise<void>((resolve) => void clock.at(clock.now() + RETRY_MS, resolve));
      }
  }

  private async read(): Promise<void> {
    const { store } = this.options;
    for (const { stream } of await store.listStreams(WORKER_PREFIX)) {
      let stand = UNKNOWN_WORKER;
      for await (const page of store.readStream(stream))
        for (const event of page) stand = evolveWorker(stand, of(event));
      if (stand.joined !== undefined) this.stands.set(stream.slice(WORKER_PREFIX.length), stand);
    }
  }

  private follow(after: Position): void {
    let seen = after;
    const { store, clock } = this.options;
    this.subscription = store.subscribe({
      name: 'workers',
      after,
      filter: { streamPrefixes: [WORKER_PREFIX] },
      onBatch: async (events, through) => {
        // Events are few: the streams say it all, also to one that has read them before.
        if (events.length > 0) await this.read();
        events.forEach((event) => this.tell(of(event)));
        seen = through;
      },
      onDrop: () => {
        if (!this.closed) this.cancelRetry = clock.at(clock.now() + RETRY_MS, () => this.follow(seen));
      },
    });
  }

  private tell(event: WorkerEvent): void {
    const { worker } = event.data;
    const stand = this.stands.get(worker);
    if (event.type === 'WorkerDraining' && stand?.joined !== undefined && stand.drainingSince !== undefined)
      this.options.onDraining(worker, stand.joined.boot);
    if (event.type === 'WorkerLeft' && stand?.left !== undefined)
      this.options.onLeft(worker, event.data.boot, event.data.isDone);
  }
}

const of = ({ type, data }: RecordedEvent): WorkerEvent => ({ type, data: JSON.parse(data) as unknown }) as WorkerEvent;
