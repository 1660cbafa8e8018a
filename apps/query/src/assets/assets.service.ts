import { Inject, Injectable } from '@nestjs/common';
import type { AdminService, AssetUpdateInput } from '@rondo/application';
import type { Actor } from '@rondo/contracts';
import { assetLeaves, assetsOf, leafName, type AssetLeaf, type TimetableSpec } from '@rondo/domain';
import { assertNever, type Json } from '@rondo/kernel';
import type {
  AssetAliasRow,
  AssetEventFilter,
  AssetEventRow,
  AssetFilter,
  AssetLinkRow,
  AssetRow,
  DagRunRow,
  Page,
  Paged,
  QueuedAssetRow,
  ReadModels,
} from '@rondo/ports';
import { Commands } from '../commands.ts';
import { defined } from '../http/defined.ts';
import { Positioned } from '../http/position.ts';
import { notFound, refused } from '../http/problem.ts';
import { ADMIN, READ_MODELS } from '../options.ts';

interface TaskName {
  readonly dagId: string;
  readonly taskId: string;
}

export interface AssetView extends AssetRow {
  readonly producers: readonly TaskName[];
  readonly readers: readonly TaskName[];
  readonly consumers: readonly string[];
  readonly aliases: readonly string[];
  readonly events: number;
  readonly updatedAt: number | null;
}

export interface QueuedView {
  readonly dagId: string;
  readonly name: string;
  readonly partitionKey: string | null;
  readonly events: number;
  readonly at: number;
}

export interface PendingPartition {
  readonly partitionKey: string;
  readonly updated: readonly string[];
  readonly waitsFor: readonly string[];
  readonly events: number;
  readonly at: number;
}

export interface Materialization {
  readonly conf?: Json;
  readonly note?: string;
  readonly partitionKey?: string;
  readonly dagId?: string;
}

const LATEST: Page = { offset: 0, limit: 1 };

@Injectable()
export class AssetsService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(ADMIN) private readonly admin: AdminService,
    @Inject(Commands) private readonly commands: Commands,
  ) {}

  list(filter: AssetFilter, page: Page): Promise<Positioned<Paged<AssetView>>> {
    return this.at(async () => {
      const { items, total } = await this.readModels.assets(filter, page);
      return { items: await this.views(items), total };
    });
  }

  get(name: string): Promise<Positioned<AssetView>> {
    return this.at(async () => (await this.views([await this.need(name)]))[0]!);
  }

  aliases(alias: string | undefined): Promise<Positioned<Paged<AssetAliasRow>>> {
    return this.at(async () => all(await this.readModels.assetAliases(alias)));
  }

  events(filter: AssetEventFilter, page: Page): Promise<Positioned<Paged<AssetEventRow>>> {
    return this.at(() => this.readModels.assetEvents(filter, page));
  }

  async update(
    input: Omit<AssetUpdateInput, 'uri'>,
    actor: Actor,
    key: string | undefined,
  ): Promise<Positioned<AssetEventRow>> {
    const { uri } = await this.need(input.name);
    const by = { actor: `${actor.kind}:${actor.name}`, ...(key === undefined ? {} : { key }) };
    const done = await this.admin.updateAsset({ ...input, uri }, by);
    if (!done.ok) throw refused(done.error);
    const { position, event } = done.value;
    await this.readModels.settled(position);
    return new Positioned(position, event);
  }

  async materialize(name: string, { dagId, ...input }: Materialization, actor: Actor, key: string | undefined) {
    await this.need(name);
    const links = await this.readModels.assetLinks({ name });
    const makers = [...new Set(links.filter(isProducer).map((link) => link.dagId))];
    const chosen = dagId === undefined ? makers : makers.filter((each) => each === dagId);
    const [maker, other] = chosen;
    if (maker === undefined)
      throw notFound(
        dagId === undefined ? `no DAG makes the asset '${name}'` : `DAG '${dagId}' does not make the asset '${name}'`,
      );
    if (other !== undefined)
      throw refused({
        code: 'conflict',
        message: `several DAGs make the asset '${name}': say which by dagId: ${makers.join(', ')}`,
      });
    const { position, result } = await this.commands.sendAndSettle(maker, actor, {
      type: 'triggerRun',
      runType: 'asset_materialization',
      triggeredBy: 'user',
      ...input,
      ...(key === undefined ? {} : { key }),
    });
    const run = await this.readModels.run(maker, String(result['runId']));
    if (run === undefined) throw new Error(`run '${String(result['runId'])}' of DAG '${maker}' is not there`);
    return new Positioned<DagRunRow>(position, run);
  }

  queued(dagId: string | undefined, name: string | undefined): Promise<Positioned<Paged<QueuedView>>> {
    return this.at(async () => {
      if (dagId !== undefined) await this.needDag(dagId);
      if (name !== undefined) await this.need(name);
      return all(queuedViews(await this.readModels.queuedAssets(defined({ dagId, name }))));
    });
  }

  async deleteQueued(
    dagId: string | undefined,
    name: string | undefined,
    partitionKey: string | undefined,
    actor: Actor,
  ): Promise<Positioned<{ readonly deleted: number }>> {
    if (dagId !== undefined) await this.needDag(dagId);
    if (name !== undefined) await this.need(name);
    const waiting = await this.readModels.queuedAssets(defined({ dagId, name }));
    let position = await this.readModels.position();
    let deleted = 0;
    for (const each of dagId === undefined ? new Set(waiting.map((row) => row.dagId)) : [dagId]) {
      const command = { type: 'deleteQueuedAssets', ...defined({ names: name && [name], partitionKey }) } as const;
      const done = await this.commands.sendAndSettle(each, actor, command as never);
      position = Math.max(position, done.position);
      deleted += Number(done.result['deleted']);
    }
    return new Positioned(position, { deleted });
  }

  pendingPartitions(dagId: string, { offset, limit }: Page): Promise<Positioned<Paged<PendingPartition>>> {
    return this.at(async () => {
      const dag = await this.needDag(dagId);
      const condition = assetsOf(dag.timetable as unknown as TimetableSpec);
      const leaves = condition === undefined ? [] : assetLeaves(condition);
      const wanted = await Promise.all(leaves.map(async (leaf) => ({ leaf, names: await this.standsFor(leaf) })));
      const rows = (await this.readModels.queuedAssets({ dagId })).filter((row) => row.partitionKey !== '');
      const byKey = [...Map.groupBy(rows, (row) => row.partitionKey)].map(([partitionKey, ofKey]) => {
        const updated = [...new Set(ofKey.map((row) => row.name))];
        return {
          partitionKey,
          updated,
          waitsFor: wanted
            .filter(({ names }) => !names.some((name) => updated.includes(name)))
            .map(({ leaf }) => leafName(leaf)),
          events: countOf(ofKey),
          at: Math.max(...ofKey.map((row) => row.at)),
        };
      });
      return { items: byKey.slice(offset, offset + limit), total: byKey.length };
    });
  }

  upstreamEvents(dagId: string, runId: string, page: Page): Promise<Positioned<Paged<AssetEventRow>>> {
    return this.at(async () => {
      const run = await this.readModels.run(dagId, runId);
      if (run === undefined) throw notFound(`DAG '${dagId}' has no run '${runId}'`);
      return this.readModels.assetEvents({ dagId, runId, orderBy: 'position' }, page);
    });
  }

  private async standsFor(leaf: AssetLeaf): Promise<readonly string[]> {
    switch (leaf.kind) {
      case 'asset':
        return [leaf.name];
      case 'alias':
        return (await this.readModels.assetAliases(leaf.name)).map(({ name }) => name);
      case 'uri': {
        const { items } = await this.readModels.assets({ pattern: leaf.uri }, { offset: 0, limit: 1_000 });
        return items.filter(({ uri }) => uri === leaf.uri).map(({ name }) => name);
      }
      default:
        return assertNever(leaf, 'asset');
    }
  }

  private async views(rows: readonly AssetRow[]): Promise<AssetView[]> {
    if (rows.length === 0) return [];
    const links = Map.groupBy(await this.readModels.assetLinks({}), (link) => link.name);
    const aliases = Map.groupBy(await this.readModels.assetAliases(), (row) => row.name);
    const events = await Promise.all(rows.map(({ name }) => this.readModels.assetEvents({ name }, LATEST)));
    return rows.map((row, i) => {
      const through = (aliases.get(row.name) ?? []).map(({ alias }) => alias);
      const own = links.get(row.name)?.filter(({ kind }) => kind === 'asset') ?? [];
      const referring = [
        ...through.flatMap((alias) => links.get(alias)?.filter(({ kind }) => kind === 'alias') ?? []),
        ...(links.get(row.uri)?.filter(({ kind }) => kind === 'uri') ?? []),
      ];
      const consumers = [...own, ...referring].filter(({ use }) => use === 'schedule').map(({ dagId }) => dagId);
      return {
        ...row,
        producers: own.filter(isProducer).map(taskOf),
        readers: own.filter(({ use }) => use === 'inlet').map(taskOf),
        consumers: [...new Set(consumers)],
        aliases: through,
        events: events[i]!.total,
        updatedAt: events[i]!.items[0]?.at ?? null,
      };
    });
  }

  private async at<T>(read: () => Promise<T>): Promise<Positioned<T>> {
    const position = await this.readModels.position();
    return new Positioned(position, await read());
  }

  private async need(name: string): Promise<AssetRow> {
    const asset = await this.readModels.asset(name);
    if (asset === undefined) throw notFound(`there is no asset '${name}': no DAG names it, and nobody has updated it`);
    return asset;
  }

  private async needDag(dagId: string) {
    const dag = await this.readModels.dag(dagId);
    if (dag === undefined) throw notFound(`there is no DAG '${dagId}'`);
    return dag;
  }
}

const all = <T>(items: readonly T[]): Paged<T> => ({ items, total: items.length });
const isProducer = (link: AssetLinkRow): boolean => link.use === 'outlet' && link.kind === 'asset';
const taskOf = ({ dagId, taskId }: AssetLinkRow): TaskName => ({ dagId, taskId });

function countOf(rows: readonly QueuedAssetRow[]): number {
  return rows.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}

function queuedViews(rows: readonly QueuedAssetRow[]): QueuedView[] {
  const groups = Map.groupBy(rows, ({ dagId, name, partitionKey }) => JSON.stringify([dagId, name, partitionKey]));
  return [...groups.values()].map((group) => {
    const { dagId, name, partitionKey } = group[0]!;
    const at = Math.max(...group.map((row) => row.at));
    return { dagId, name, partitionKey: partitionKey === '' ? null : partitionKey, events: countOf(group), at };
  });
}
