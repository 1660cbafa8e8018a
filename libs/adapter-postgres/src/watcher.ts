import type { Position } from '@rondo/ports';
import type { ReadModelStatus } from '@rondo/read-models';
import { isPassing, messageOf } from './errors.ts';
import type { PostgresRows } from './store.ts';

export interface WatcherOptions {
  readonly rows: PostgresRows;
  readonly onStatus: (status: ReadModelStatus) => void;
  /** Somebody waits for the rows. */
  readonly isAwaited: () => boolean;
}

/** How often it looks how far the rows are; and while somebody waits for them, all by the same look. */
const LOOK_MS = 1_000;
const AWAITED_MS = 10;
const RETRY_MS = 1_000;

/** Looks how far another process has written the rows, for one that only reads them. */
export class RowWatcher {
  private readonly options: WatcherOptions;
  private current: ReadModelStatus = { state: 'running', position: 0, busyMs: 0 };
  private closed = false;
  private wake: () => void = () => undefined;
  private running: Promise<void> | undefined;

  constructor(options: WatcherOptions) {
    this.options = options;
  }

  get status(): ReadModelStatus {
    return this.current;
  }

  /** Resolves when the tables are there and the database answers, however long it is away. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.running = this.work(resolve, reject);
    });
  }

  rebuild(): Promise<void> {
    return Promise.reject(new Error('this process only reads the rows: the one that writes them rebuilds them'));
  }

  /** Somebody waits from now on. */
  hurry(): void {
    this.wake();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.wake();
    await this.running;
  }

  private async work(ready: () => void, failed: (error: unknown) => void): Promise<void> {
    const { rows, isAwaited } = this.options;
    let migrated = false;
    while (!this.closed) {
      try {
        if (!migrated) await rows.migrate();
        migrated = true;
        const { position } = await rows.checkpoint();
        this.tell('running', position);
        ready();
        await this.pause(isAwaited() ? AWAITED_MS : LOOK_MS);
      } catch (error) {
        const { position } = this.current;
        if (!isPassing(error)) {
          this.tell('stopped', position, messageOf(error));
          return failed(error);
        }
        this.tell('retrying', position, messageOf(error));
        await this.pause(RETRY_MS);
      }
    }
    failed(new Error('the read models are closed'));
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private tell(state: ReadModelStatus['state'], position: Position, error?: string): void {
    if (this.current.state === state && this.current.position === position) return;
    this.current = { state, position, busyMs: 0, ...(error === undefined ? {} : { error }) };
    this.options.onStatus(this.current);
  }
}
