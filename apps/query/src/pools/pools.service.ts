import { Inject, Injectable } from '@nestjs/common';
import type { AdminService, PoolInput } from '@rondo/application';
import type { Actor, AdmissionQueries } from '@rondo/contracts';
import { DEFAULT_POOL, INFINITE_SLOTS } from '@rondo/domain';
import type { Page, Paged, PoolRow, ReadModels } from '@rondo/ports';
import { Positioned } from '../http/position.ts';
import { notFound, refused } from '../http/problem.ts';
import { ADMIN, ADMISSION, READ_MODELS } from '../options.ts';

export interface PoolView extends PoolRow {
  readonly occupiedSlots: number;
  readonly deferredSlots: number;
  readonly queuedSlots: number;
  /** Null: no limit. */
  readonly openSlots: number | null;
}

/** The default pool is there before anybody has set it. */
const UNSET_DEFAULT: PoolRow = { ...DEFAULT_POOL, description: null };

@Injectable()
export class PoolsService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(ADMIN) private readonly admin: AdminService,
    @Inject(ADMISSION) private readonly admission: AdmissionQueries,
  ) {}

  async list({ offset, limit }: Page): Promise<Positioned<Paged<PoolView>>> {
    const position = await this.readModels.position();
    const rows = await this.readModels.pools();
    const hasDefault = rows.some(({ name }) => name === DEFAULT_POOL.name);
    const all = hasDefault ? rows : [...rows, UNSET_DEFAULT].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const items = await this.views(all.slice(offset, offset + limit));
    return new Positioned(position, { items, total: all.length });
  }

  async get(name: string): Promise<Positioned<PoolView>> {
    const position = await this.readModels.position();
    const row = (await this.readModels.pool(name)) ?? (name === DEFAULT_POOL.name ? UNSET_DEFAULT : undefined);
    if (row === undefined) throw notFound(`there is no pool '${name}'`);
    const [view] = await this.views([row]);
    return new Positioned(position, view!);
  }

  async set(input: PoolInput, actor: Actor): Promise<Positioned<PoolView>> {
    const done = await this.admin.setPool(input, { actor: `${actor.kind}:${actor.name}` });
    if (!done.ok) throw refused(done.error);
    await this.readModels.settled(done.value.position);
    const { name, slots, description = null, includeDeferred = false } = input;
    const [view] = await this.views([{ name, slots, description, includeDeferred }]);
    return new Positioned(done.value.position, view!);
  }

  async setAll(
    pools: readonly PoolInput[],
    actor: Actor,
  ): Promise<Positioned<{ readonly items: readonly PoolView[] }>> {
    let position = await this.readModels.position();
    const items: PoolView[] = [];
    for (const pool of pools) {
      const set = await this.set(pool, actor);
      position = set.position;
      items.push(set.body);
    }
    return new Positioned(position, { items });
  }

  async delete(name: string, actor: Actor): Promise<Positioned<undefined>> {
    const done = await this.admin.deletePool(name, { actor: `${actor.kind}:${actor.name}` });
    if (!done.ok) throw refused(done.error);
    await this.readModels.settled(done.value.position);
    return new Positioned(done.value.position, undefined);
  }

  private async views(rows: readonly PoolRow[]): Promise<PoolView[]> {
    const loads = await this.admission.poolLoads(rows.map(({ name }) => name));
    return rows.map((row, i) => {
      const { occupied, deferred, queued } = loads[i]!;
      const held = occupied + (row.includeDeferred ? deferred : 0);
      const openSlots = row.slots === INFINITE_SLOTS ? null : Math.max(row.slots - held, 0);
      return { ...row, occupiedSlots: occupied, deferredSlots: deferred, queuedSlots: queued, openSlots };
    });
  }
}
