import type { LeaseTerm } from '@rondo/ports';
import type { RecordedGroup } from '../pool/processes.ts';

/** A child's process group. */
export interface Ward extends RecordedGroup {
  /** Stands in the environment of all that it starts; empty: nothing does. */
  readonly mark: string;
  /** Of the attempt that it runs. Absent: it runs none, or one that has no lease. */
  readonly lease?: string | undefined;
}

/** What passes from a worker to its warden: one JSON text a line. */
export type WardenMessage =
  | { readonly kind: 'child'; readonly ward: Ward }
  | { readonly kind: 'gone'; readonly pid: number }
  | { readonly kind: 'busy'; readonly pid: number; readonly lease?: string | undefined }
  | { readonly kind: 'renew'; readonly terms: readonly LeaseTerm[] };

/** Which children there are, and until when they may run. A child between attempts has no lease. */
export class Wards {
  readonly #wards = new Map<number, Ward>();
  readonly #terms = new Map<string, number>();

  apply(message: WardenMessage): void {
    switch (message.kind) {
      case 'child':
        this.#wards.set(message.ward.pid, message.ward);
        return;
      case 'gone':
        this.#wards.delete(message.pid);
        return;
      case 'busy': {
        const ward = this.#wards.get(message.pid);
        if (ward !== undefined) this.#wards.set(ward.pid, { ...ward, lease: message.lease });
        return;
      }
      case 'renew':
        for (const { lease, until } of message.terms) this.#terms.set(lease, until);
        return;
    }
  }

  all(): Ward[] {
    return [...this.#wards.values()];
  }

  /** What another has to be told to know the same. Leases that nothing runs under and that are over are left out, and forgotten. */
  statement(now: number): WardenMessage[] {
    this.#forget(now);
    const terms = Array.from(this.#terms, ([lease, until]) => ({ lease, until }));
    return [{ kind: 'renew', terms }, ...this.all().map((ward) => ({ kind: 'child', ward }) as const)];
  }

  /** Children whose lease is over: each is answered once. */
  takeDue(now: number): Ward[] {
    const due = this.all().filter((ward) => this.#until(ward) <= now);
    for (const { pid } of due) this.#wards.delete(pid);
    this.#forget(now);
    return due;
  }

  /** When the next lease that a child runs under is over. */
  nextAt(): number {
    return this.all().reduce((next, ward) => Math.min(next, this.#until(ward)), Infinity);
  }

  #until({ lease }: Ward): number {
    // One that nobody has renewed is none.
    return lease === undefined ? Infinity : (this.#terms.get(lease) ?? -Infinity);
  }

  #forget(now: number): void {
    const used = new Set(this.all().map(({ lease }) => lease));
    for (const [lease, until] of this.#terms) if (until <= now && !used.has(lease)) this.#terms.delete(lease);
  }
}
