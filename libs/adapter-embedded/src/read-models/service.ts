import { setTimeout as delay } from 'node:timers/promises';
import type {
  BlobStore,
  EventStore,
  Position,
  ProjectionModule,
  Projector,
  RecordedEvent,
  Subscription,
} from '@rondo/ports';
import {
  definitionIn,
  isOfHistory,
  START,
  type Checkpoint,
  runEventsIn,
  type Queries,
  type ReadModelStatus,
} from '@rondo/read-models';
import { isBroken, isPassing } from './sqlite.ts';
import { ReadModelStore } from './store.ts';

export interface ReadModelServiceOptions {
  /** Holds `reads.db`; made when it is missing. */
  readonly folder: string;
  readonly events: EventStore;
  readonly projection: ProjectionModule;
  /** Where the definitions of versions are: JSON of `DagVersion` by its hash. */
  readonly blobs: Pick<BlobStore, 'get'>;
  /** Called whenever the position or the state changes. */
  readonly onStatus?: (status: ReadModelStatus) => void;
}

const RETRY_MS = 1_000;

/** Follows the history and keeps the rows. Lives in a thread of its own; everything here may wait for a disk. */
export class ReadModelService {
  private readonly options: ReadModelServiceOptions;
  private store: ReadModelStore | undefined;
  private projector: Projector | undefined;
  private subscription: Subscription | undefined;
  private checkpoint: Checkpoint = START;
  private current: ReadModelStatus = { state: 'running', position: 0, busyMs: 0 };
  private closing = false;
  private busyMs = 0;
  /** Rebuilds and closing come one after the other. */
  private turn: Promise<void> = Promise.resolve();

  constructor(options: ReadModelServiceOptions) {
    this.options = options;
  }

  get status(): ReadModelStatus {
    return this.current;
  }

  /** Resolves when queries are answered; catching up goes on after it. */
  start(): Promise<void> {
    return this.inTurn(async () => {
      await this.open();
      if (!(await isOfHistory(this.options.events, this.checkpoint))) await this.reopenEmpty();
      this.follow();
    });
  }

  /** Drops every row and folds the whole history again. Resolves when that has begun. */
  rebuild(): Promise<void> {
    return this.inTurn(async () => {
      await this.subscription?.stop();
      await this.reopenEmpty();
      this.follow();
    });
  }

  get queries(): Queries {
    if (this.store === undefined) throw new Error('the read models are closed');
    return this.store.queries;
  }

  close(): Promise<void> {
    this.closing = true;
    return this.inTurn(async () => {
      await this.subscription?.stop();
      await this.store?.close();
      this.store = undefined;
    });
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const next = this.turn.then(work);
    this.turn = next.catch(() => undefined);
    return next;
  }

  private async open(): Promise<void> {
    const { folder, projection } = this.options;
    this.store = await ReadModelStore.open(folder, projection.PROJECTION_VERSION);
    this.checkpoint = this.store.checkpoint;
    this.projector = undefined;
    this.tell({ state: 'running', position: this.checkpoint.position });
  }

  private async reopenEmpty(): Promise<void> {
    await this.store?.close();
    this.store = undefined;
    ReadModelStore.drop(this.options.folder);
    await this.open();
  }

  private follow(): void {
    this.subscription = this.options.events.subscribe({
      name: 'read-models',
      after: this.checkpoint.position,
      filter: this.options.projection.PROJECTED_STREAMS,
      onBatch: (events, through) => this.onBatch(events, through),
      onDrop: (error) => this.tell({ state: 'stopped', position: this.current.position, error: error.message }),
    });
  }

  private async onBatch(events: readonly RecordedEvent[], through: Position): Promise<void> {
    while (!this.closing) {
      try {
        await this.apply(events, through);
        return;
      } catch (error) {
        this.projector = undefined;
        if (isBroken(error)) {
          // Ends this subscription: the rebuild waits for it, and begins another.
          this.rebuild().catch((cause: unknown) =>
            this.tell({
              state: 'stopped',
              position: 0,
              error: `the rows are broken and cannot be rebuilt: ${messageOf(cause)}`,
            }),
          );
          throw error;
        }
        if (!isPassing(error))
          throw new Error(`projecting after position ${this.checkpoint.position}: ${messageOf(error)}`, {
            cause: error,
          });
        this.tell({ state: 'retrying', position: this.current.position, error: messageOf(error) });
        await delay(RETRY_MS);
      }
    }
  }

  private async apply(events: readonly RecordedEvent[], through: Position): Promise<void> {
    const { store } = this;
    if (store === undefined) return;
    const last = events.at(-1);
    if (last !== undefined) {
      const begin = performance.now();
      this.projector ??= this.options.projection.createProjector(
        store.rowSource({
          definition: (version) => definitionIn(this.options.blobs, version),
          runEvents: runEventsIn(this.options.events),
        }),
      );
      const changes = await this.projector.project(events);
      const checkpoint = { position: through, eventPosition: last.position, eventId: last.id };
      store.write(changes, checkpoint);
      this.checkpoint = checkpoint;
      this.busyMs += performance.now() - begin;
    }
    this.tell({ state: 'running', position: through });
  }

  private tell(status: Omit<ReadModelStatus, 'busyMs'>): void {
    if (this.current.state === status.state && this.current.position === status.position) return;
    this.current = { ...status, busyMs: Math.round(this.busyMs) };
    this.options.onStatus?.(this.current);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
