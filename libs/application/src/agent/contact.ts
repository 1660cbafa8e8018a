import type { AgentFrame, GatewayChannel, WorkerReport } from '@rondo/ports';

interface Beat {
  readonly n: number;
  /** Monotonic milliseconds. */
  readonly sentAt: number;
}

/**
 * One session with a gateway, from the hello to its close, and beyond it for the attempts that were taken in it: they run
 * under its lease until an owner of their partition has them in another.
 */
export class Contact {
  /** Names its lease. */
  readonly key: string;
  readonly address: string;
  readonly channel: GatewayChannel;
  /** As the gateway calls itself; until the welcome, its address. */
  gateway: string;
  isWelcome = false;
  isClosed = false;
  /** Infinity until the welcome. */
  leaseMs = Infinity;
  /** Orders that wait at the gateway. */
  waiting = 0;
  /** When the last beat that was answered was sent: its lease runs from there (I3). */
  vouchedAt: number;
  /** When the next beat is due. */
  beatAt = Infinity;
  /** `vouchedAt` as the session was last told. */
  renewedAt = -Infinity;
  offered = 0;
  #beats: Beat[] = [];
  #parted = 0;
  #count = 0;
  /** Offers that were lowered, and the beat after which the gateway knows. */
  #lowered: { readonly slots: number; readonly n: number }[] = [];
  /** Partitions that were claimed, and the beat after which the gateway has the claims. */
  #claimed: { readonly partitions: readonly number[]; readonly n: number }[] = [];

  constructor(key: string, address: string, channel: GatewayChannel, now: number) {
    this.key = key;
    this.address = address;
    this.gateway = address;
    this.channel = channel;
    this.vouchedAt = now;
  }

  /** It can be told things. */
  get isOpen(): boolean {
    return this.isWelcome && !this.isClosed;
  }

  get leaseEnds(): number {
    return this.vouchedAt + this.leaseMs;
  }

  /** The most attempts that the gateway may still believe it has been offered. */
  get promised(): number {
    if (this.isClosed) return 0;
    return this.#lowered.reduce((most, { slots }) => Math.max(most, slots), this.offered);
  }

  /** For attempts that the gateway vouches for no more: a lease of their own, which nothing extends. */
  part(vouchedAt: number): Contact {
    const lease = new Contact(`${this.key}/${++this.#parted}`, this.address, this.channel, vouchedAt);
    lease.gateway = this.gateway;
    lease.isClosed = true;
    return lease;
  }

  send(frame: AgentFrame): void {
    if (!this.isClosed) this.channel.send(frame);
  }

  report(reports: readonly WorkerReport[]): void {
    if (reports.length > 0) this.send({ kind: 'reports', reports });
  }

  beat(now: number): void {
    const n = ++this.#count;
    this.#beats.push({ n, sentAt: now });
    this.beatAt = now + this.leaseMs / 3;
    this.send({ kind: 'beat', n });
  }

  /** A gateway has all that was sent before a beat when it answers it. Answers the partitions whose claims it has now. */
  beaten(n: number): readonly number[] {
    for (let beat = this.#beats[0]; beat !== undefined && beat.n <= n; beat = this.#beats[0]) {
      this.vouchedAt = beat.sentAt;
      this.#beats.shift();
    }
    this.#lowered = this.#lowered.filter((one) => one.n > n);
    const known = this.#claimed.filter((one) => one.n <= n);
    this.#claimed = this.#claimed.filter((one) => one.n > n);
    return known.flatMap(({ partitions }) => partitions);
  }

  /** To be called after the claims of these partitions. */
  claimed(partitions: readonly number[], now: number): void {
    this.#claimed.push({ partitions, n: this.#count + 1 });
    this.beat(now);
  }

  offer(slots: number, now: number): void {
    if (slots === this.offered) return;
    const before = this.offered;
    this.offered = slots;
    this.send({ kind: 'offer', slots });
    if (slots > before) return;
    this.#lowered.push({ slots: before, n: this.#count + 1 });
    this.beat(now);
  }
}
