import type { Clock } from '@rondo/ports';
import type { Link } from './links.ts';

export interface LeasesOptions {
  readonly clock: Clock;
  /** Milliseconds that only grow, also while the process stands still. */
  readonly monotonic: () => number;
  readonly leaseMs: number;
  readonly onOver: (link: Link) => void;
}

/** I3: a worker that has not been heard of for a lease has ended what it had, and will not be waited for. */
export class Leases {
  private readonly options: LeasesOptions;
  private readonly heard = new Map<Link, number>();
  private cancel: (() => void) | undefined;
  private closed = false;

  constructor(options: LeasesOptions) {
    this.options = options;
  }

  /** It has said hello, or beaten. */
  hear(link: Link): void {
    this.heard.set(link, this.options.monotonic());
    if (this.cancel === undefined) this.arm();
  }

  forget(link: Link): void {
    this.heard.delete(link);
  }

  stop(): void {
    this.closed = true;
    this.cancel?.();
  }

  private arm(): void {
    const { clock, monotonic, leaseMs } = this.options;
    const pause = leaseMs / 6;
    const due = monotonic() + pause;
    this.cancel = clock.at(clock.now() + pause, () => {
      this.cancel = undefined;
      if (this.closed) return;
      // This process stood still: what the workers have said meanwhile is to be read first.
      if (monotonic() - due < pause) this.look();
      if (this.heard.size > 0) this.arm();
    });
  }

  private look(): void {
    const { monotonic, leaseMs, onOver } = this.options;
    const now = monotonic();
    for (const [link, at] of this.heard) {
      if (now - at < leaseMs) continue;
      this.heard.delete(link);
      onOver(link);
    }
  }
}
