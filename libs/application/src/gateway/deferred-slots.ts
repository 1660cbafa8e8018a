import type { Admission } from '@rondo/domain';
import type { DeferredHold, ReadyOrder } from '@rondo/contracts';

/**
 * The slots of deferred instances: a pool that includes them counts them as taken. An instance holds them from the end of its
 * attempt until its scheduler says that it waits no more; a scheduler that starts anew states them again (I2).
 */
export class DeferredSlots {
  private readonly admission: Admission<ReadyOrder>;
  private readonly held = new Map<string, DeferredHold>();

  constructor(admission: Admission<ReadyOrder>) {
    this.admission = admission;
  }

  /** The attempt of an admitted order has ended as a deferral. */
  keep(instance: string, order: ReadyOrder): void {
    this.forget(instance);
    this.held.set(instance, { instance, pool: order.pool, poolSlots: order.poolSlots });
    this.admission.release(order, true);
  }

  state(hold: DeferredHold): void {
    if (this.held.has(hold.instance)) return;
    this.held.set(hold.instance, hold);
    this.admission.defer(hold.pool, hold.poolSlots);
  }

  forget(instance: string): void {
    const hold = this.held.get(instance);
    if (hold === undefined) return;
    this.held.delete(instance);
    this.admission.defer(hold.pool, -hold.poolSlots);
  }

  /** Those of these pools: their gateway is another, or they are stated anew. */
  drop(isOf: (pool: string) => boolean): void {
    for (const { instance, pool } of this.held.values()) if (isOf(pool)) this.forget(instance);
  }
}
