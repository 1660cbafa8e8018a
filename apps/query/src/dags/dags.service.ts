import { Inject, Injectable } from '@nestjs/common';
import type { Actor } from '@rondo/contracts';
import {
  matchesGlob,
  assetLeaves,
  assetsOf,
  describeAssets,
  type DagDefinition,
  type TaskDefinition,
  type TimetableSpec,
} from '@rondo/domain';
import type { Json, JsonObject } from '@rondo/kernel';
import type { BundleStore, DagFilter, DagRow, DagVersionRow, Page, Paged, Position, ReadModels } from '@rondo/ports';
import { Commands } from '../commands.ts';
import { Definitions } from '../history/definitions.ts';
import { Positioned } from '../http/position.ts';
import { notFound } from '../http/problem.ts';
import { BUNDLES, READ_MODELS } from '../options.ts';

export interface DagSource {
  readonly dagId: string;
  readonly version: string;
  readonly file: string;
  readonly text: string;
}

export interface AssetWait {
  /** For example `orders & (prices | alias(latest))`. */
  readonly condition: string;
  readonly assets: readonly { readonly name: string; readonly events: number }[];
}

@Injectable()
export class DagsService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(BUNDLES) private readonly bundles: BundleStore,
    @Inject(Definitions) private readonly definitions: Definitions,
    @Inject(Commands) private readonly commands: Commands,
  ) {}

  list(filter: DagFilter, page: Page): Promise<Positioned<Paged<DagRow>>> {
    return this.at(() => this.readModels.dags(filter, page));
  }

  detail(
    dagId: string,
    version: string | undefined,
  ): Promise<Positioned<DagRow & { readonly definition: DagDefinition }>> {
    return this.at(async () => {
      const dag = await this.need(dagId);
      return { ...dag, version: version ?? dag.version, definition: await this.definition(dag, version) };
    });
  }

  async setPaused(dagId: string, paused: boolean, actor: Actor): Promise<Positioned<DagRow>> {
    const { position } = await this.commands.sendAndSettle(dagId, actor, { type: paused ? 'pauseDag' : 'unpauseDag' });
    return new Positioned(position, await this.need(dagId));
  }

  /** Every DAG whose id fits, retired ones left out; those that were so already are not told. */
  async setPausedWhere(
    pattern: string,
    paused: boolean,
    actor: Actor,
  ): Promise<Positioned<{ readonly dagIds: string[] }>> {
    let position = await this.readModels.position();
    const dagIds: string[] = [];
    for (let offset = 0; ; offset += PAGE) {
      const { items } = await this.readModels.dags({}, { offset, limit: PAGE });
      for (const { dagId } of items.filter((dag) => dag.paused !== paused && matchesGlob(pattern, dag.dagId))) {
        const done = await this.commands.send(dagId, actor, { type: paused ? 'pauseDag' : 'unpauseDag' });
        position = Math.max(position, done.position);
        dagIds.push(dagId);
      }
      if (items.length < PAGE) break;
    }
    await this.readModels.settled(position);
    return new Positioned(position, { dagIds });
  }

  source(dagId: string, version: string | undefined): Promise<Positioned<DagSource>> {
    return this.at(async () => {
      const dag = await this.need(dagId);
      const row = (await this.readModels.dagVersions(dagId)).find((each) => each.version === (version ?? dag.version));
      if (row === undefined) throw notFound(`DAG '${dagId}' has no version '${version}'`);
      const bytes = await this.bundles.readFile(row.bundle, row.file);
      if (bytes === undefined) throw notFound(`the bundle '${row.bundle}' of DAG '${dagId}' has no file '${row.file}'`);
      return { dagId, version: row.version, file: row.file, text: Buffer.from(bytes).toString('utf8') };
    });
  }

  versions(dagId: string): Promise<Positioned<Paged<DagVersionRow>>> {
    return this.at(async () => {
      await this.need(dagId);
      return all(await this.readModels.dagVersions(dagId));
    });
  }

  tasks(dagId: string, version: string | undefined): Promise<Positioned<Paged<TaskDefinition>>> {
    return this.at(async () => all((await this.definition(await this.need(dagId), version)).tasks));
  }

  /** What the timetable would ask for if the DAG were not paused and had room for runs. */
  async next(dagId: string, count: number, actor: Actor): Promise<Positioned<JsonObject>> {
    const { position, result } = await this.commands.send(dagId, actor, { type: 'previewRuns', count });
    const { timetable } = await this.need(dagId);
    const waitsFor = await this.waitsFor(dagId, timetable as unknown as TimetableSpec);
    const { runs, ...rest } = result;
    const waits = waitsFor === undefined ? {} : { waitsFor: waitsFor as unknown as Json };
    return new Positioned(position, { items: runs!, ...waits, ...rest });
  }

  private async waitsFor(dagId: string, timetable: TimetableSpec): Promise<AssetWait | undefined> {
    const condition = assetsOf(timetable);
    if (condition === undefined) return undefined;
    const queued = await this.readModels.queuedAssets({ dagId });
    const own = assetLeaves(condition).flatMap((leaf) => (leaf.kind === 'asset' ? [leaf.name] : []));
    const assets = [...new Set([...own, ...queued.map(({ name }) => name)])].map((name) => ({
      name,
      events: queued.filter((row) => row.name === name).reduce((sum, { from, to }) => sum + to - from + 1, 0),
    }));
    return { condition: describeAssets(condition), assets };
  }

  private async at<T>(read: () => Promise<T>): Promise<Positioned<T>> {
    const position: Position = await this.readModels.position();
    return new Positioned(position, await read());
  }

  private async need(dagId: string): Promise<DagRow> {
    const dag = await this.readModels.dag(dagId);
    if (dag === undefined) throw notFound(`there is no DAG '${dagId}'`);
    return dag;
  }

  private async definition(dag: DagRow, version: string | undefined): Promise<DagDefinition> {
    const found = await this.definitions.get(version ?? dag.version);
    if (found === undefined || found.definition.dagId !== dag.dagId)
      throw notFound(`DAG '${dag.dagId}' has no version '${version ?? dag.version}'`);
    return found.definition;
  }
}

const PAGE = 1_000;

const all = <T>(items: readonly T[]): Paged<T> => ({ items, total: items.length });
