import {
  evolveWorker,
  UNKNOWN_WORKER,
  WORKER_PREFIX,
  workerStateOf,
  workerStream,
  type WorkerEvent,
  type WorkerStand,
  type WorkerState,
} from '@rondo/domain';
import { err, ok, type Result } from '@rondo/kernel';
import type { Clock, EventStore, ReadModels } from '@rondo/ports';
import type { AdminRefusal } from '../admin/admin-service.ts';
import { stableId } from '../scheduler/asset-updates.ts';
import { envelope, traceOf } from '../scheduler/envelope.ts';

/** A worker, as whoever runs the platform sees it. Times are epoch milliseconds; null means not yet, or none. */
export interface WorkerFacts {
  readonly name: string;
  readonly state: WorkerState;
  /** Of its process. */
  readonly boot: string;
  readonly release: string;
  readonly executor: string;
  readonly queues: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly slots: number;
  /** Attempts that it has begun and that have not ended. */
  readonly running: number;
  readonly joinedAt: number;
  readonly drainingSince: number | null;
  readonly leftAt: number | null;
  /** Why it has left, or is lost. */
  readonly reason: string | null;
}

export interface DrainRequest {
  readonly worker: string;
  /** Only this process of it. Default: the one that there is. */
  readonly boot?: string;
  /** For example `user:ada`. */
  readonly actor: string;
}

export interface Workers {
  /** By name; with those that have left. */
  list(): Promise<readonly WorkerFacts[]>;
  /**
   * The worker's process takes nothing new, ends what it has and leaves; whatever joins under its name later is not meant. One
   * that drains already is answered as it is. Refused: one that is not known, is gone, or is another process than the one named.
   */
  drain(request: DrainRequest): Promise<Result<WorkerFacts, AdminRefusal>>;
}

export interface StoredWorkersOptions {
  readonly store: EventStore;
  readonly readModels: Pick<ReadModels, 'taskInstances'>;
  readonly clock: Clock;
}

interface Known {
  readonly name: string;
  readonly stand: WorkerStand;
  /** Of the last event. */
  readonly revision: number;
}

const ATTEMPTS = 3;
const PAGE = 1_000;
/** Names of workers may be many, where each pod or machine has its own. */
const READS_AT_ONCE = 50;

/** The workers of an installation of several processes, as gateways have written them down. */
export class StoredWorkers implements Workers {
  private readonly options: StoredWorkersOptions;

  constructor(options: StoredWorkersOptions) {
    this.options = options;
  }

  async list(): Promise<readonly WorkerFacts[]> {
    const streams = await this.options.store.listStreams(WORKER_PREFIX);
    const names = streams.map(({ stream }) => stream.slice(WORKER_PREFIX.length));
    const known: Known[] = [];
    for (let i = 0; i < names.length; i += READS_AT_ONCE)
      known.push(...(await Promise.all(names.slice(i, i + READS_AT_ONCE).map((name) => this.read(name)))));
    const running = await this.running();
    return known.flatMap(({ name, stand }) => factsOf(stand, running.get(name) ?? 0) ?? []);
  }

  async drain(request: DrainRequest): Promise<Result<WorkerFacts, AdminRefusal>> {
    const { worker } = request;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const known = await this.read(worker);
      const refusal = refusalOf(known, request.boot);
      if (refusal !== undefined) return err(refusal);
      const isDone = known.stand.drainingSince !== undefined || (await this.append(known, request.actor));
      if (isDone) return ok(factsOf((await this.read(worker)).stand, (await this.running()).get(worker) ?? 0)!);
    }
    return refuse('conflict', `what is known of worker '${worker}' changed ${ATTEMPTS} times in a row; try again`);
  }

  /** False: something was said of the worker meanwhile. */
  private async append({ name, stand, revision }: Known, actor: string): Promise<boolean> {
    const { store, clock } = this.options;
    const stream = workerStream(name);
    const { boot } = stand.joined!;
    const id = `${boot} draining ${stand.joins}`;
    const data = { worker: name, boot, at: clock.now() };
    const event: WorkerEvent = { type: 'WorkerDraining', data };
    const ids = { uuid: () => stableId(`${stream} ${id}`) };
    const recorded = envelope(event, traceOf(stream, ''), { causationId: id, actor }, clock.now(), ids);
    const [outcome] = await store.append([{ stream, expected: revision, events: [recorded] }]);
    return outcome?.ok === true;
  }

  private async read(name: string): Promise<Known> {
    let [stand, revision] = [UNKNOWN_WORKER, -1];
    for await (const page of this.options.store.readStream(workerStream(name)))
      for (const event of page) {
        stand = evolveWorker(stand, { type: event.type, data: JSON.parse(event.data) as unknown } as WorkerEvent);
        ({ revision } = event);
      }
    return { name, stand, revision };
  }

  /** Attempts by worker: no more than all workers have slots. */
  private async running(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (let offset = 0; ; offset += PAGE) {
      const page = await this.options.readModels.taskInstances({ state: ['running'] }, { offset, limit: PAGE });
      for (const { worker } of page.items) if (worker !== null) counts.set(worker, (counts.get(worker) ?? 0) + 1);
      if (offset + PAGE >= page.total) return counts;
    }
  }
}

const refuse = (code: AdminRefusal['code'], message: string): Result<never, AdminRefusal> => err({ code, message });

function refusalOf({ name, stand }: Known, boot: string | undefined): AdminRefusal | undefined {
  const { joined, left } = stand;
  if (joined === undefined) return { code: 'not_found', message: `there is no worker '${name}'` };
  if (boot !== undefined && boot !== joined.boot)
    return {
      code: 'conflict',
      message: `worker '${name}' is another process by now: boot ${joined.boot}, not ${boot}`,
    };
  if (left === undefined) return undefined;
  const since = new Date(left.at).toISOString();
  const message = left.isDone
    ? `worker '${name}' has left at ${since}: there is nothing to drain`
    : `worker '${name}' is lost since ${since} (${left.reason}): it can be told to drain when it has come back`;
  return { code: 'conflict', message };
}

function factsOf(stand: WorkerStand, running: number): WorkerFacts | undefined {
  const { joined, left, drainingSince = null } = stand;
  const state = workerStateOf(stand);
  if (joined === undefined || state === undefined) return undefined;
  const { worker: name, boot, release, executor, queues, labels, slots, at: joinedAt } = joined;
  return {
    ...{ name, state, boot, release, executor, queues, labels, slots, running, joinedAt, drainingSince },
    ...{ leftAt: left?.at ?? null, reason: left?.reason ?? null },
  };
}
