import type { ConsumeOptions, DeliveredMessage } from '@rondo/ports';
import type { Assigned, GroupCoordinator } from './bus-group.ts';
import type { Machine } from './machine.ts';
import { kindOfMessage } from './message-kind.ts';
import type { SimBus } from './sim-bus.ts';

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;

interface Lane {
  readonly partition: number;
  readonly generation: number;
  position: number;
  failures: number;
  isBusy: boolean;
}

/**
 * A consumer in its process. The partitions of a generation are handled side by side, each in order; what is being handled is
 * finished before the member joins another generation. Offsets are committed after the work.
 */
export class BusMember {
  private readonly bus: SimBus;
  private readonly machine: Machine;
  private readonly options: ConsumeOptions<unknown>;
  private id = '';
  private generation = 0;
  private owned = new Set<number>();
  private lanes: readonly Lane[] = [];
  private readonly done = new Map<number, number>();
  /** When the heartbeat was sent that was answered last. */
  private confirmedAt = -Infinity;
  private isJoining = false;
  private idle: (() => void)[] = [];
  private assigning: Promise<void> = Promise.resolve();
  private closed: Promise<void> | undefined;

  constructor(bus: SimBus, machine: Machine, options: ConsumeOptions<unknown>) {
    this.bus = bus;
    this.machine = machine;
    this.options = options;
  }

  private get group(): GroupCoordinator {
    return this.bus.group(this.options.topic, this.options.group);
  }

  async start(): Promise<void> {
    const { bus, machine, options } = this;
    const { committed } = this.group;
    if (options.from === 'now') {
      await machine.sleep(bus.delay());
      for (const [partition, log] of bus.logs(options.topic).entries()) committed[partition] = log.messages.length;
    }
    await this.join();
    if (options.from !== 'now') this.beat();
    this.commitLater();
  }

  isOwner(partition: number): boolean {
    const isConfirmed = this.options.from === 'now' || this.bus.time.now - this.confirmedAt < this.bus.timing.sessionMs;
    return this.closed === undefined && !this.isJoining && isConfirmed && this.owned.has(partition);
  }

  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  private async end(): Promise<void> {
    await this.assigning;
    await this.settled();
    await this.commit();
    const { id } = this;
    this.bus.time.after(this.bus.delay(), () => this.group.leave(id));
    this.generation = -1;
    await this.assign(new Set(), false);
  }

  /** When nothing is being handled. */
  private async settled(): Promise<void> {
    while (this.lanes.some((lane) => lane.isBusy)) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** A session that was lost is another member's: others may have had its partitions. */
  private async join(isNew = true): Promise<void> {
    const { bus, machine } = this;
    if (isNew) this.id = `${machine.name}#${++bus.memberships}`;
    const { id } = this;
    const askedAt = bus.time.now;
    const assigned = await new Promise<Assigned>((resolve) => {
      bus.time.after(bus.delay(), () => {
        if (machine.isDead) return;
        this.group.join(id, (answer) => bus.time.after(bus.delay(), () => machine.enter(() => resolve(answer))));
      });
    });
    if (this.closed !== undefined) return;
    this.generation = assigned.generation;
    this.confirmedAt = askedAt;
    this.isJoining = false;
    const { generation } = this;
    this.lanes = [];
    this.assigning = this.assign(new Set(assigned.partitions), isNew);
    await this.assigning;
    if (this.generation !== generation || this.closed !== undefined) return;
    this.lanes = assigned.partitions.map((partition) => ({
      partition,
      generation,
      position: this.group.committed[partition]!,
      failures: 0,
      isBusy: false,
    }));
    for (const lane of this.lanes) this.fetch(lane);
  }

  private async assign(now: Set<number>, isNew: boolean): Promise<void> {
    const before = this.owned;
    const { onRevoked, onAssigned } = this.options;
    const revoked = isNew ? [...before] : [...before.difference(now)];
    const gained = isNew ? [...now] : [...now.difference(before)];
    this.owned = now;
    if (revoked.length > 0) await onRevoked?.(revoked);
    if (gained.length > 0) await onAssigned?.(gained);
  }

  private beat(): void {
    const { bus, machine } = this;
    const { time, timing } = bus;
    machine.after(timing.sessionMs / 4, () => {
      if (this.closed !== undefined) return;
      this.beat();
      if (this.isJoining) return;
      const sentAt = time.now;
      const { id, generation } = this;
      const isDelayed = bus.strikes('heartbeat delayed', this.options.group, machine.name);
      const extra = isDelayed ? bus.dice.between(0, timing.sessionMs * 2) : 0;
      time.after(bus.delay() + extra, () => {
        if (machine.isDead) return;
        const answer = this.group.heartbeat(id, generation);
        time.after(bus.delay(), () => machine.enter(() => this.onAnswer(answer, id, generation, sentAt)));
      });
    });
  }

  private onAnswer(answer: 'fine' | 'rebalancing' | 'unknown', id: string, generation: number, sentAt: number): void {
    if (id !== this.id || generation !== this.generation || this.isJoining || this.closed !== undefined) return;
    if (answer === 'fine') {
      this.confirmedAt = Math.max(this.confirmedAt, sentAt);
      return;
    }
    this.isJoining = true;
    void this.rejoin(answer === 'unknown');
  }

  private async rejoin(isNew: boolean): Promise<void> {
    await this.assigning;
    await this.settled();
    await this.commit();
    if (this.closed === undefined) await this.join(isNew);
  }

  private commitLater(): void {
    this.machine.after(this.bus.timing.commitMs, () => {
      if (this.closed !== undefined) return;
      void this.commit();
      this.commitLater();
    });
  }

  private async commit(): Promise<void> {
    const { bus, machine, id, generation } = this;
    if (this.done.size === 0) return;
    const offsets = new Map(this.done);
    this.done.clear();
    if (bus.strikes('commit lost', this.options.topic, machine.name)) return;
    await new Promise<void>((resolve) => {
      bus.time.after(bus.delay(), () => {
        this.group.commit(id, generation, offsets);
        bus.time.after(bus.delay(), () => machine.enter(resolve));
      });
    });
  }

  private isCurrent(lane: Lane): boolean {
    return lane.generation === this.generation && this.closed === undefined && !this.isJoining && !this.machine.isDead;
  }

  private fetch(lane: Lane): void {
    const { bus, machine, options } = this;
    const log = bus.logs(options.topic)[lane.partition]!;
    if (!this.isCurrent(lane)) return;
    if (log.messages.length <= lane.position) {
      log.waiting.add(() => machine.enter(() => this.fetch(lane)));
      return;
    }
    const kind = kindOfMessage(options.topic, log.messages[lane.position]!.value);
    const isDelayed = bus.strikes('delivery delayed', kind, machine.name);
    bus.time.after(bus.delay() + (isDelayed ? bus.dice.between(200, 8_000) : 0), () => {
      const messages = this.read(lane, kind);
      machine.enter(() => this.handle(lane, messages));
    });
  }

  /** What a fetch takes along: from the last committed offset now and then, as after a rebalance. */
  private read(lane: Lane, kind: string): readonly DeliveredMessage<unknown>[] {
    const { bus, options, machine } = this;
    const again = bus.strikes('delivery repeated', kind, machine.name);
    const from = again ? Math.max(this.group.committed[lane.partition]!, lane.position - 20) : lane.position;
    const most = Math.min(options.maxBatch ?? Infinity, bus.dice.chance(0.2) ? bus.dice.between(1, 5) : Infinity);
    const log = bus.logs(options.topic)[lane.partition]!;
    return log.messages.slice(from, from + most).map(({ key, value }, at) => ({
      key,
      value: JSON.parse(value) as unknown,
      partition: lane.partition,
      offset: from + at,
    }));
  }

  /** What nobody can read is put aside. */
  private async hand(messages: readonly DeliveredMessage<unknown>[]): Promise<void> {
    const { read, onBatch, topic } = this.options;
    if (read === undefined) return onBatch(messages);
    const readable = messages.flatMap((message) => {
      try {
        return { ...message, value: read(message.value) };
      } catch (error) {
        this.bus.weather.recorder.note(this.machine.name, `puts aside ${topic} ${message.offset}: ${String(error)}`);
        return [];
      }
    });
    if (readable.length > 0) await onBatch(readable);
  }

  private handle(lane: Lane, messages: readonly DeliveredMessage<unknown>[]): void {
    if (!this.isCurrent(lane) || messages.length === 0) return;
    lane.isBusy = true;
    const after = Math.max(lane.position, messages.at(-1)!.offset + 1);
    void Promise.resolve()
      .then(() => this.hand(messages))
      .then(
        () => {
          lane.failures = 0;
          lane.position = after;
          if (lane.generation === this.generation) this.done.set(lane.partition, after);
          this.release(lane);
          this.fetch(lane);
        },
        (error: unknown) => {
          const pause = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** lane.failures++);
          this.bus.weather.recorder.note(this.machine.name, `batch failed, again in ${pause} ms: ${String(error)}`);
          this.release(lane);
          this.machine.after(pause, () => this.fetch(lane));
        },
      );
  }

  private release(lane: Lane): void {
    lane.isBusy = false;
    for (const resolve of this.idle.splice(0)) resolve();
  }
}
