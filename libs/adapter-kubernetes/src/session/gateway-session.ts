import { assertNever, formatDuration } from '@rondo/kernel';
import type {
  AgentFrame,
  AgentHello,
  Assignment,
  GatewayChannel,
  GatewayFrame,
  OwnedPartition,
  WorkerChannel,
  WorkerClaim,
} from '@rondo/ports';
import { channelPair } from './channel-pair.ts';

export interface GatewaySessionOptions {
  readonly onSession: (channel: WorkerChannel) => void;
  readonly hello: () => AgentHello;
  readonly slots: number;
  /** What it has of the partitions; called when that is known. */
  readonly claims: (owned: readonly OwnedPartition[]) => readonly WorkerClaim[];
  /** Ends that nobody has acknowledged. */
  readonly pending: () => Extract<AgentFrame, { kind: 'reports' }>['reports'];
  readonly onWelcome: () => void;
  readonly onOwned: (owned: readonly OwnedPartition[]) => void;
  readonly onAssign: (owned: OwnedPartition, assignments: readonly Assignment[]) => void;
  readonly onCancel: (ids: readonly string[], reason: string) => void;
  readonly onAcknowledge: (ids: readonly string[]) => void;
  readonly onAnswer: (answer: Extract<GatewayFrame, { kind: 'answer' }>) => void;
  readonly onNotice: (text: string) => void;
}

const RETRY_MS = 1_000;

/**
 * The session of the executor, as a worker, with the gateway of its process. A pod's worker lives under half of the gateway's
 * lease, and is only answered while the gateway has answered within the other half: so it ends within a lease of the last beat
 * that the gateway has seen (I3).
 */
export class GatewaySession {
  gateway = '';
  release = '';
  /** Undefined: no gateway has welcomed the executor yet. */
  leaseMs: number | undefined;
  /** By partition: the generation that its owner has. */
  readonly owned = new Map<number, number>();
  /** Of those, the ones that the gateway vouches for, as it said last. Undefined: all. */
  #vouched: Set<number> | undefined;
  readonly #options: GatewaySessionOptions;
  #channel: GatewayChannel | undefined;
  #beats = new Map<number, number>();
  #count = 0;
  #answeredAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isSynced = false;
  #unclaimed: OwnedPartition[] = [];

  constructor(options: GatewaySessionOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isStopped) return;
    const [mine, theirs] = channelPair('kubernetes', 'gateway');
    this.#channel = mine;
    this.#options.onSession(theirs);
    mine.listen({ onFrame: (frame) => this.#onFrame(frame), onClose: (reason) => this.#onClose(reason) });
    this.send({ kind: 'hello', hello: this.#options.hello() });
    this.#beat();
  }

  /** All pods are known now: what was asked can be answered. */
  synced(): void {
    this.#isSynced = true;
    this.#claim(this.#unclaimed.splice(0));
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#channel?.close('the executor stops');
  }

  send(frame: AgentFrame): void {
    this.#channel?.send(frame);
  }

  /** Whether a pod's worker may be told that it has been heard, and be handed anything. */
  get isLive(): boolean {
    return this.leaseMs !== undefined && performance.now() - this.#answeredAt < this.leaseMs / 2;
  }

  /** Its gateway is the one to decide on attempts of the partition. */
  isOwner(partition: number): boolean {
    return this.owned.has(partition) && this.#vouched?.has(partition) !== false;
  }

  /** For the workers in pods: their leases run on where it vouches no more (I3). */
  get vouched(): { readonly owned?: readonly number[] } {
    return this.#vouched === undefined ? {} : { owned: [...this.#vouched] };
  }

  #onFrame(frame: GatewayFrame): void {
    switch (frame.kind) {
      case 'welcome':
        ({ gateway: this.gateway, release: this.release, leaseMs: this.leaseMs } = frame);
        this.send({ kind: 'offer', slots: this.#options.slots });
        this.#beat();
        return this.#options.onWelcome();
      case 'generations':
        for (const { partition, generation } of frame.owned) {
          this.owned.set(partition, generation);
          this.#vouched?.add(partition);
        }
        this.#options.onOwned(frame.owned);
        return this.#isSynced ? this.#claim(frame.owned) : void this.#unclaimed.push(...frame.owned);
      case 'assign':
        return this.#onAssign(frame, frame.assignments);
      case 'cancel':
        return this.#options.onCancel(frame.ids, frame.reason);
      case 'acknowledge':
        return this.#options.onAcknowledge(frame.ids);
      case 'beaten':
        this.#vouched = frame.owned === undefined ? undefined : new Set(frame.owned);
        this.#answeredAt = Math.max(this.#answeredAt, this.#beats.get(frame.n) ?? -Infinity);
        for (const n of this.#beats.keys()) if (n <= frame.n) this.#beats.delete(n);
        return;
      case 'answer':
        return this.#options.onAnswer(frame);
      case 'drain':
        return this.send({ kind: 'draining' });
      // It takes attempts alone, and all its slots are the gateway's.
      case 'watch':
      case 'unwatch':
      case 'callbacks':
      case 'parse':
      case 'demand':
        return;
      default:
        assertNever(frame, 'frame of a gateway');
    }
  }

  /** I2: an assignment of an owner that has been followed by another is not taken. */
  #onAssign({ partition, generation }: OwnedPartition, assignments: readonly Assignment[]): void {
    if (generation < (this.owned.get(partition) ?? 0))
      return this.send({ kind: 'refused', ids: assignments.map(({ id }) => id), partition, generation });
    this.owned.set(partition, generation);
    this.#options.onAssign({ partition, generation }, assignments);
  }

  #claim(owned: readonly OwnedPartition[]): void {
    if (owned.length === 0) return;
    this.send({ kind: 'claims', claims: this.#options.claims(owned) });
    const reports = this.#options.pending();
    if (reports.length > 0) this.send({ kind: 'reports', reports });
  }

  #beat(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#beats.set(++this.#count, performance.now());
    this.send({ kind: 'beat', n: this.#count });
    this.#timer = setTimeout(() => this.#beat(), (this.leaseMs ?? 6 * RETRY_MS) / 6);
  }

  #onClose(reason: string): void {
    this.#beats = new Map();
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    const since = formatDuration(RETRY_MS);
    this.#options.onNotice(`the session with gateway '${this.gateway}' has ended, begun again in ${since}: ${reason}`);
    this.#timer = setTimeout(() => this.start(), RETRY_MS);
  }
}
