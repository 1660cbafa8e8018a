import { SYSTEM_KEY, TOPICS } from '@rondo/contracts';
import type { Consumer, MessageBus } from '@rondo/ports';

/** What is done once in an installation, by whoever owns the system partition. */
export interface SystemTask {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface SystemWorkOptions {
  readonly bus: MessageBus;
  /** Made anew each time that the partition comes. `isOwner`: whether nobody else can be at it now (I2). */
  readonly task: (isOwner: () => boolean) => SystemTask;
  readonly onChange: (isOwner: boolean) => void;
  readonly onFailure: (task: string, error: unknown, retryInMs: number) => void;
  /** Default 5 s. */
  readonly retryMs?: number;
}

/** Runs a task while this process owns the system partition: at most one process of an installation does. */
export class SystemWork {
  private readonly options: SystemWorkOptions;
  private consumer: Consumer | undefined;
  private task: SystemTask | undefined;
  private retry: NodeJS.Timeout | undefined;
  /** Starts and stops, one after the other. */
  private turn: Promise<void> = Promise.resolve();

  constructor(options: SystemWorkOptions) {
    this.options = options;
  }

  get isOwner(): boolean {
    return this.task !== undefined;
  }

  private get partition(): number {
    return this.options.bus.partitionOf(TOPICS.system, SYSTEM_KEY);
  }

  private get mayAct(): boolean {
    return this.task !== undefined && this.consumer?.isOwner(this.partition) === true;
  }

  async start(): Promise<void> {
    const { bus } = this.options;
    const { partition } = this;
    this.consumer = await bus.consume({
      topic: TOPICS.system,
      group: 'rondo-system',
      // The start takes as long as the folder is large: the group does not wait for it.
      onAssigned: (partitions) => void (partitions.includes(partition) && this.next(() => this.begin())),
      onRevoked: (partitions) => (partitions.includes(partition) ? this.next(() => this.end()) : undefined),
      onBatch: () => undefined,
    });
  }

  async stop(): Promise<void> {
    await this.consumer?.close();
    await this.next(() => this.end());
  }

  private next(work: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(work);
    return this.turn;
  }

  private async begin(): Promise<void> {
    const { task, onChange, onFailure, retryMs = 5_000 } = this.options;
    if (this.task !== undefined) return;
    const begun = (this.task = task(() => this.mayAct));
    onChange(true);
    // Not waited for: an end that comes meanwhile stops it.
    void begun.start().catch((error: unknown) => {
      if (this.task !== begun) return;
      onFailure(begun.name, error, retryMs);
      this.retry = setTimeout(() => void this.next(() => this.again(begun)), retryMs);
    });
    await Promise.resolve();
  }

  private async again(failed: SystemTask): Promise<void> {
    if (this.task !== failed) return;
    await failed.stop().catch(() => undefined);
    this.task = undefined;
    await this.begin();
  }

  private async end(): Promise<void> {
    clearTimeout(this.retry);
    const { task } = this;
    if (task === undefined) return;
    this.task = undefined;
    this.options.onChange(false);
    await task.stop().catch((error: unknown) => this.options.onFailure(task.name, error, 0));
  }
}
