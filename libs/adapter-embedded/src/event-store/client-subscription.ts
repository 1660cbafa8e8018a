import type { Position, SubscribeOptions, Subscription } from '@rondo/ports';
import { fromFlat, type FlatEvents } from './messages.ts';

interface Batch {
  readonly events: FlatEvents;
  readonly through: Position;
}

/** The subscriber's side: one batch at a time, each acknowledged when it is settled. */
export class ClientSubscription implements Subscription {
  readonly #options: SubscribeOptions;
  readonly #acknowledge: () => void;
  readonly #end: () => void;
  #waiting: Batch[] = [];
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: SubscribeOptions, acknowledge: () => void, end: () => void) {
    this.#options = options;
    this.#acknowledge = acknowledge;
    this.#end = end;
  }

  receive(events: FlatEvents, through: Position): void {
    if (this.#stopped) return;
    this.#waiting.push({ events, through });
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    try {
      for (let batch = this.#waiting.shift(); batch !== undefined && !this.#stopped; batch = this.#waiting.shift()) {
        await this.#options.onBatch(fromFlat(batch.events), batch.through);
        this.#acknowledge();
      }
    } catch (error) {
      this.#end();
      this.drop(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#running = undefined;
    }
  }

  /** Ends it from the store's side. */
  drop(error: Error): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#waiting = [];
    this.#options.onDrop?.(error);
  }

  /** Resolves when the batch that is being handled is settled. Not to be awaited from inside `onBatch`. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting = [];
    this.#end();
    await this.#running;
  }
}
