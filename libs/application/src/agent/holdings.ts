import type { OwnedPartition, WorkerClaim, WorkerReport } from '@rondo/ports';
import type { Contact } from './contact.ts';

/** An attempt that was taken and has not ended. */
export interface Held {
  readonly id: string;
  readonly partition: number;
  /** Under whose lease it runs. */
  contact: Contact;
  /** False: it goes on without its gateway. */
  readonly isLeased: boolean;
  /** The report that it has begun: said again to whoever takes its partition. */
  started: WorkerReport | undefined;
  isEnding: boolean;
}

/** An attempt that has ended, whose end nobody has acknowledged. */
export interface Ended {
  readonly id: string;
  readonly report: WorkerReport;
  /** Undefined: an earlier process of the worker took it. */
  readonly partition: number | undefined;
  sentOn: Contact | undefined;
  sentAt: number;
}

interface Owner {
  readonly generation: number;
  readonly contact: Contact;
}

/** How many ids of attempts that are over are kept, to drop what comes twice (I1). */
const REMEMBERED = 10_000;

/** What a worker has of its gateways: attempts, ends that are not acknowledged, and whose partitions they are of (I2). */
export class Holdings {
  readonly held = new Map<string, Held>();
  readonly ended = new Map<string, Ended>();
  readonly #owners = new Map<number, Owner>();
  readonly #over = new Set<string>();

  /** Takes note of an owner; false: there has been a later one. */
  own({ partition, generation }: OwnedPartition, contact: Contact): boolean {
    if (generation < this.generationOf(partition)) return false;
    this.#owners.set(partition, { generation, contact });
    return true;
  }

  /** 0: nobody has said that it owns the partition. */
  generationOf(partition: number): number {
    return this.#owners.get(partition)?.generation ?? 0;
  }

  /** Undefined: it cannot be reached, or is not known. */
  ownerOf(partition: number | undefined): Contact | undefined {
    if (partition === undefined) return undefined;
    const contact = this.#owners.get(partition)?.contact;
    return contact?.isOpen === true ? contact : undefined;
  }

  isOwner(contact: Contact, partition: number): boolean {
    return this.#owners.get(partition)?.contact === contact;
  }

  /** What ended in an earlier process may be of any partition: it is claimed in all. */
  claimsOf(owned: readonly OwnedPartition[]): WorkerClaim[] {
    const running = Map.groupBy(this.held.values(), ({ partition }) => partition);
    const ended = Map.groupBy(this.ended.values(), ({ partition }) => partition);
    const unplaced = ended.get(undefined) ?? [];
    const idsOf = (of: readonly { readonly id: string }[]): string[] => of.map(({ id }) => id);
    return owned.map(({ partition, generation }) => ({
      partition,
      generation,
      running: idsOf(running.get(partition) ?? []),
      ended: idsOf([...(ended.get(partition) ?? []), ...unplaced]),
    }));
  }

  /** I1: it was over before. */
  isOver(id: string): boolean {
    return this.#over.has(id);
  }

  end(report: WorkerReport): Ended {
    const { id } = report;
    const partition = this.held.get(id)?.partition;
    this.held.delete(id);
    const ended: Ended = { id, report, partition, sentOn: undefined, sentAt: -Infinity };
    this.ended.set(id, ended);
    return ended;
  }

  acknowledge(ids: readonly string[]): void {
    for (const id of ids) {
      if (!this.ended.delete(id)) continue;
      this.#over.add(id);
      if (this.#over.size > REMEMBERED) this.#over.delete(this.#over.values().next().value!);
    }
  }
}
