import { setTimeout as sleep } from 'node:timers/promises';
import {
  type EventStore,
  type Position,
  type ProjectionModule,
  type Projector,
  type RecordedEvent,
  type RowSource,
  type Subscription,
} from '@rondo/ports';
import { isOfHistory, START, type Checkpoint, type ReadModelStatus } from '@rondo/read-models';
import { FencedError, isPassing, messageOf, NewerRowsError } from './errors.ts';
import type { Claim, PostgresRows } from './store.ts';

export interface FollowerOptions {
  readonly rows: PostgresRows;
  readonly source: RowSource;
  readonly events: EventStore;
  readonly projection: ProjectionModule;
  readonly onStatus: (status: ReadModelStatus) => void;
}

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 5_000;
/** How often one that stands by looks how far the rows are. */
const LOOK_MS = 250;
/** Rows that have not moved for so long have no writer, or nothing to write. Doubles each time that it was fenced in vain. */
const PATIENCE_MS = 2_000;
const PATIENCE_MAX_MS = 60_000;

/**
 * After a batch it lets events gather for so long, unless so many came that more are waiting: what a transaction costs does not
 * depend on their number much. The first event after a while is never held up.
 */
const GATHER_MS = 20;
const GATHER_MOST = 250;

const ignore = (): void => undefined;

/** Ends what goes on, to begin again or to close. */
class Interruption extends Error {}

/**
 * Follows the history and keeps the rows, as the one writer. When another process takes over, it stands by: it looks how far
 * the rows are, and claims them when they no longer move.
 */
export class RowFollower {
  private readonly options: FollowerOptions;
  private readonly closing = new AbortController();
  private projector: Projector | undefined;
  private claim: Claim | undefined;
  private checkpoint: Checkpoint = START;
  private current: ReadModelStatus = { state: 'running', position: 0, busyMs: 0 };
  private busyMs = 0;
  private failures = 0;
  private patienceMs = PATIENCE_MS;
  private interrupt: (reason: Error) => void = ignore;
  private rebuildAsked: PromiseWithResolvers<void> | undefined;
  private running: Promise<void> | undefined;

  constructor(options: FollowerOptions) {
    this.options = options;
  }

  get status(): ReadModelStatus {
    return this.current;
  }

  /** Resolves when the tables are there and the database answers, however long it is away; catching up goes on after it. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.running = this.work(resolve, reject);
    });
  }

  /** Resolves when the rows are dropped and the history is followed from its beginning. */
  async rebuild(): Promise<void> {
    const asked = (this.rebuildAsked ??= Promise.withResolvers<void>());
    if (this.current.state === 'stopped') this.running = this.work(ignore, ignore);
    else this.interrupt(new Interruption());
    await asked.promise;
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.interrupt(new Interruption());
    await this.running;
    this.rebuildAsked?.reject(new Error('the read models are closed'));
  }

  private async work(ready: () => void, failed: (error: unknown) => void): Promise<void> {
    let fenced = false;
    let migrated = false;
    while (!this.closing.signal.aborted) {
      try {
        if (!migrated) await this.options.rows.migrate();
        migrated = true;
        if (fenced) await this.standBy();
        fenced = false;
        await this.lead(ready);
      } catch (error) {
        if (this.closing.signal.aborted) return;
        fenced = error instanceof FencedError;
        if (fenced) this.patienceMs = Math.min(this.patienceMs * 2, PATIENCE_MAX_MS);
        else if (isPassing(error)) await this.retryLater(error);
        else if (!(error instanceof Interruption)) {
          this.tell({ state: 'stopped', position: this.current.position, error: messageOf(error) });
          return error instanceof NewerRowsError ? ready() : failed(error);
        }
      }
    }
  }

  /** Claims the rows and follows the history, until that fails. */
  private async lead(ready: () => void): Promise<void> {
    const { rows, events } = this.options;
    this.projector = undefined;
    this.claim = await rows.claim(this.rebuildAsked !== undefined);
    if (!(await isOfHistory(events, this.claim.checkpoint))) this.claim = await rows.claim(true);
    // Without an event it cannot be told of which history a position is.
    this.checkpoint = this.claim.checkpoint.eventId === '' ? START : this.claim.checkpoint;
    this.tell({ state: 'running', position: this.checkpoint.position });
    ready();
    this.rebuildAsked?.resolve();
    this.rebuildAsked = undefined;
    let subscription: Subscription | undefined;
    try {
      await new Promise<void>((_, reject) => {
        this.interrupt = reject;
        if (this.closing.signal.aborted) reject(new Interruption());
        subscription = this.follow(reject);
      });
    } finally {
      await subscription?.stop();
    }
  }

  private follow(ended: (error: Error) => void): Subscription {
    const { events, projection } = this.options;
    return events.subscribe({
      name: 'read-models',
      after: this.checkpoint.position,
      filter: projection.PROJECTED_STREAMS,
      // Readers wait for the rows to have reached a position, whatever stands there.
      prompt: true,
      onBatch: async (batch, through) => {
        try {
          await this.apply(batch, through);
          if (batch.length < GATHER_MOST) await this.pause(GATHER_MS).catch(ignore);
        } catch (error) {
          ended(error as Error);
          throw error;
        }
      },
      onDrop: ended,
    });
  }

  private async apply(events: readonly RecordedEvent[], through: Position): Promise<void> {
    const last = events.at(-1);
    if (last !== undefined) {
      const begin = performance.now();
      const checkpoint = { position: through, eventPosition: last.position, eventId: last.id };
      await this.project(events, checkpoint);
      this.checkpoint = checkpoint;
      this.patienceMs = PATIENCE_MS;
      this.busyMs += performance.now() - begin;
    } else await this.advance(through);
    this.failures = 0;
    this.tell({ state: 'running', position: through });
  }

  /** Nothing of it is projected: those who only read are told that the rows are as far all the same. */
  private async advance(through: Position): Promise<void> {
    if (through <= this.checkpoint.position) return;
    const checkpoint = { ...this.checkpoint, position: through };
    await this.options.rows.advance(checkpoint, this.claim!.generation);
    this.checkpoint = checkpoint;
  }

  private async project(events: readonly RecordedEvent[], checkpoint: Checkpoint): Promise<void> {
    const { rows, source, projection } = this.options;
    try {
      this.projector ??= projection.createProjector(source);
      await rows.write(await this.projector.project(events), checkpoint, this.claim!.generation);
    } catch (error) {
      // What it holds in memory is ahead of the rows, or behind another's.
      this.projector = undefined;
      if (isPassing(error) || error instanceof FencedError) throw error;
      const message = `projecting after position ${this.checkpoint.position}: ${messageOf(error)}`;
      throw new Error(message, { cause: error });
    }
  }

  /** Returns when the rows have not moved for a while. */
  private async standBy(): Promise<void> {
    let seen = await this.options.rows.checkpoint();
    for (let still = 0; still < this.patienceMs && this.rebuildAsked === undefined; still += LOOK_MS) {
      this.tell({ state: 'running', position: seen.position });
      await this.pause(LOOK_MS);
      const next = await this.options.rows.checkpoint();
      if (next.eventId !== seen.eventId) still = 0;
      seen = next;
    }
  }

  private async retryLater(error: unknown): Promise<void> {
    this.tell({ state: 'retrying', position: this.current.position, error: messageOf(error) });
    await this.pause(Math.min(RETRY_MIN_MS * 2 ** this.failures++, RETRY_MAX_MS)).catch(() => undefined);
  }

  private pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.closing.signal });
  }

  private tell(status: Omit<ReadModelStatus, 'busyMs'>): void {
    if (this.current.state === status.state && this.current.position === status.position) return;
    this.current = { ...status, busyMs: Math.round(this.busyMs) };
    this.options.onStatus(this.current);
  }
}
