import type { SimBus } from './sim-bus.ts';

export interface Assigned {
  readonly generation: number;
  readonly partitions: readonly number[];
}

interface Seat {
  readonly id: string;
  lastHeard: number;
  /** Set while it waits for the next generation. */
  joined: ((assigned: Assigned) => void) | undefined;
  partitions: readonly number[];
}

/**
 * The broker's side of a consumer group. A change of members begins a rebalance: every member is told with its next heartbeat,
 * finishes what it handles and joins again; who has not joined when the time is up, or says nothing for a session, is out.
 */
export class GroupCoordinator {
  generation = 0;
  readonly committed: number[];
  private readonly bus: SimBus;
  private readonly name: string;
  private readonly seats = new Map<string, Seat>();
  private rebalance: (() => void) | undefined;
  private guard: (() => void) | undefined;

  constructor(bus: SimBus, name: string) {
    this.bus = bus;
    this.name = name;
    this.committed = Array.from({ length: bus.partitions }, () => 0);
  }

  /** The answer comes with the next generation. */
  join(id: string, joined: (assigned: Assigned) => void): void {
    const { time, timing } = this.bus;
    const seat = this.seats.get(id) ?? { id, lastHeard: time.now, joined, partitions: [] };
    seat.joined = joined;
    seat.lastHeard = time.now;
    this.seats.set(id, seat);
    this.rebalance ??= time.after(timing.sessionMs * 3, () => this.complete());
    if ([...this.seats.values()].every((each) => each.joined !== undefined)) this.soon();
    this.watch();
  }

  leave(id: string): void {
    if (!this.seats.delete(id)) return;
    this.begin();
  }

  heartbeat(id: string, generation: number): 'fine' | 'rebalancing' | 'unknown' {
    const seat = this.seats.get(id);
    if (seat === undefined) return 'unknown';
    seat.lastHeard = this.bus.time.now;
    return this.rebalance === undefined && generation === this.generation ? 'fine' : 'rebalancing';
  }

  /** Refused from a member of an earlier generation. */
  commit(id: string, generation: number, offsets: ReadonlyMap<number, number>): boolean {
    if (!this.seats.has(id) || generation !== this.generation) return false;
    for (const [partition, offset] of offsets) this.committed[partition] = offset;
    return true;
  }

  private begin(): void {
    const { time, timing } = this.bus;
    this.rebalance ??= time.after(timing.sessionMs * 3, () => this.complete());
    if ([...this.seats.values()].every((each) => each.joined !== undefined)) this.soon();
  }

  /** A moment for others that join too. */
  private soon(): void {
    this.rebalance?.();
    this.rebalance = this.bus.time.after(20, () => this.complete());
  }

  private complete(): void {
    this.rebalance = undefined;
    for (const [id, seat] of this.seats) if (seat.joined === undefined) this.seats.delete(id);
    this.generation++;
    const members = [...this.seats.values()];
    const { partitions, weather } = this.bus;
    const shares = members.map((): number[] => []);
    for (let p = 0; p < partitions && members.length > 0; p++) shares[(p + this.generation) % members.length]!.push(p);
    weather.recorder.note(
      'broker',
      `${this.name} generation ${this.generation}: ${members.map((m) => m.id).join(' ')}`,
    );
    for (const [at, seat] of members.entries()) {
      const { joined } = seat;
      seat.joined = undefined;
      seat.partitions = shares[at]!;
      seat.lastHeard = this.bus.time.now;
      joined!({ generation: this.generation, partitions: seat.partitions });
    }
  }

  /** Puts out whoever has said nothing for a session. */
  private watch(): void {
    if (this.guard !== undefined) return;
    const { time, timing, weather } = this.bus;
    this.guard = time.after(timing.sessionMs / 4, () => {
      this.guard = undefined;
      if (this.bus.awayUntil > time.now) for (const seat of this.seats.values()) seat.lastHeard = this.bus.awayUntil;
      for (const seat of [...this.seats.values()])
        if (seat.joined === undefined && time.now - seat.lastHeard > timing.sessionMs) {
          weather.recorder.note('broker', `${this.name}: ${seat.id} is out`);
          this.leave(seat.id);
        }
      if (this.seats.size > 0) this.watch();
    });
  }
}
