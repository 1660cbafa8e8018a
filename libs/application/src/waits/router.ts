import {
  parseAttemptId,
  type DagRunWait,
  type WaitAnswer,
  type WaitFor,
  type WatchWait,
  type XComValue,
} from '@rondo/domain';
import { assertNever, type Json } from '@rondo/kernel';
import { TOPICS, type SchedulerMessage } from '@rondo/contracts';
import type { BlobStore, Clock, EventStore, MessageBus, Position } from '@rondo/ports';
import type { ActorLoader } from '../scheduler/actors.ts';
import { EventWaits, type Hit } from './event-waits.ts';
import { RunWaits } from './run-waits.ts';

/** A value of more bytes goes to the blob store (I7). */
const INLINE_BYTES = 32 * 1024;
const RETRY_MS = 1_000;

/** A wait that is answered without a poll. */
export type RoutedWait = Exclude<WaitFor, DagRunWait | WatchWait>;

export interface StatedWait {
  /** Of the attempt that waits. */
  readonly id: string;
  readonly wait: RoutedWait;
  /** When the wait began; epoch milliseconds. */
  readonly since: number;
  /** Events up to here were consumed by earlier waits of the same try. */
  readonly consumed: Position;
}

export interface WaitRouterOptions {
  readonly store: EventStore;
  readonly bus: MessageBus;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly loader: ActorLoader;
  readonly onProblem: (message: string) => void;
}

/**
 * Answers waits from the history: events, assets, runs of other DAGs. Its memory is derived: the scheduler states its open
 * waits again, and an answer that was lost is found again (I6).
 */
export class WaitRouter {
  private readonly options: WaitRouterOptions;
  private readonly events: EventWaits;
  private readonly runs: RunWaits;
  private readonly byDag = new Map<string, Set<string>>();
  private outbox: SchedulerMessage[] = [];

  constructor(options: WaitRouterOptions) {
    this.options = options;
    const { store, clock, loader, onProblem } = options;
    this.events = new EventWaits({
      store,
      clock,
      onMet: (id, hits) => void this.met(id, hits),
      onImpossible: (id, message) => this.answer(id, impossible(message)),
      onProblem,
    });
    this.runs = new RunWaits({
      store,
      clock,
      loader,
      onAnswer: (id, answer, position) =>
        this.answer(id, answer.kind === 'met' ? { ...answer, consumed: position } : answer),
      onProblem,
    });
  }

  start(): Promise<void> {
    return this.events.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.events.stop(), this.runs.stop()]);
  }

  /** Waits that are open. */
  get size(): number {
    return this.events.size + this.runs.size;
  }

  state({ id, wait, since, consumed }: StatedWait): void {
    switch (wait.kind) {
      case 'event':
      case 'asset':
        this.keep(id);
        // What comes after its begin counts, whatever it looks back to.
        this.events.add(id, { ...wait, lookBackFrom: Math.min(wait.lookBackFrom, since) }, consumed);
        return;
      case 'run':
        this.keep(id);
        this.runs.add(id, wait);
        return;
      // Its run's own clock.
      case 'time':
      // A command of whoever answers.
      case 'approval':
        return;
      default:
        assertNever(wait, 'wait');
    }
  }

  /** The wait is over by other means. */
  end(id: string): void {
    this.forget(id);
    this.events.remove(id);
    this.runs.remove(id);
  }

  /** The DAG belongs to somebody else, or will be stated anew. */
  drop(dagId: string): void {
    for (const id of this.byDag.get(dagId) ?? []) this.end(id);
  }

  private keep(id: string): void {
    const dagId = dagOf(id);
    const ids = this.byDag.get(dagId) ?? new Set();
    this.byDag.set(dagId, ids.add(id));
  }

  private forget(id: string): void {
    const ids = this.byDag.get(dagOf(id));
    if (ids?.delete(id) === true && ids.size === 0) this.byDag.delete(dagOf(id));
  }

  private async met(id: string, hits: readonly Hit[]): Promise<void> {
    const consumed = hits[hits.length - 1]!.position;
    const value = hits.length === 1 ? hits[0]!.body : hits.map(({ body }) => body);
    try {
      this.answer(id, { kind: 'met', payload: await this.payloadOf(value), consumed });
    } catch (error) {
      const { clock, onProblem } = this.options;
      onProblem(`the answer to ${id} cannot be stored for now: ${(error as Error).message}`);
      clock.at(clock.now() + RETRY_MS, () => void this.met(id, hits));
    }
  }

  private payloadOf(value: Json): XComValue | Promise<XComValue> {
    const bytes = Buffer.from(JSON.stringify(value));
    if (bytes.length <= INLINE_BYTES) return { value };
    return this.options.blobs.put(bytes).then((blob) => ({ blob, bytes: bytes.length }));
  }

  /** What one turn of the loop answers goes to the inbox together. */
  private answer(id: string, answer: WaitAnswer): void {
    this.forget(id);
    const at = this.options.clock.now();
    if (this.outbox.push({ kind: 'waited', dagId: dagOf(id), attempt: id, at, answer }) > 1) return;
    queueMicrotask(() => {
      const messages = this.outbox;
      this.outbox = [];
      void this.options.bus.publish(
        TOPICS.schedulerInbox,
        messages.map((value) => ({ key: value.dagId, value })),
      );
    });
  }
}

function dagOf(id: string): string {
  return parseAttemptId(id)?.dagId ?? '';
}

function impossible(message: string): WaitAnswer {
  return { kind: 'failed', error: { kind: 'exception', type: 'InvalidWait', message }, retryable: false };
}
