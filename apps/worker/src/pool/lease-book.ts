import type { LeaseTerm } from '@rondo/ports';
import { monotonicMs } from '../monotonic.ts';

export const LEASE_OVER = 'the lease of its gateway was over';

/** Under which lease each piece of work is, and until when (I3). What is in no lease has no end. */
export class LeaseBook {
  readonly #leases = new Map<string, string>();
  readonly #terms = new Map<string, number>();

  take(id: string, lease: string | undefined): void {
    if (lease !== undefined) this.#leases.set(id, lease);
  }

  release(id: string): void {
    this.#leases.delete(id);
  }

  leaseOf(id: string): string | undefined {
    return this.#leases.get(id);
  }

  renew(terms: readonly LeaseTerm[]): void {
    const now = monotonicMs();
    const used = new Set(this.#leases.values());
    for (const [lease, until] of this.#terms) if (until <= now && !used.has(lease)) this.#terms.delete(lease);
    for (const { lease, until } of terms) this.#terms.set(lease, until);
  }

  isOver(id: string): boolean {
    const lease = this.#leases.get(id);
    return lease !== undefined && (this.#terms.get(lease) ?? -Infinity) <= monotonicMs();
  }
}
