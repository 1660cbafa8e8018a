import {
  assetLeaves,
  assetsOf,
  type AssetAliasEvent,
  type AssetEvent,
  type AssetRef,
  type DagDefinition,
  type DagEvent,
} from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type {
  AssetAliasRow,
  AssetChanges,
  AssetEventRow,
  AssetLinkRow,
  AssetQueueChange,
  AssetRow,
  RecordedEvent,
  RowSource,
} from '@rondo/ports';

/** Assets, who makes and who uses them, their events, and what waits for a run: folded over the rows of the assets. */
export class AssetFold {
  private readonly source: RowSource;
  private assets: Map<string, AssetRow> | undefined;
  private moved = new Set<string>();
  private events: AssetEventRow[] = [];
  private aliases: AssetAliasRow[] = [];
  private links = new Map<string, readonly AssetLinkRow[]>();
  private queue: AssetQueueChange[] = [];

  constructor(source: RowSource) {
    this.source = source;
  }

  async load(): Promise<void> {
    this.moved = new Set();
    [this.events, this.aliases, this.links, this.queue] = [[], [], new Map(), []];
    this.assets ??= new Map((await this.source.assets()).map((row) => [row.name, row]));
  }

  applyUpdate({ data }: AssetEvent, { revision, position }: RecordedEvent): void {
    const { name, uri, at, extra = null, partitionKey = null, aliases = [], source } = data;
    this.upsert({ name, uri, ...(data.group === undefined ? {} : { group: data.group }) });
    const { dagId = null, runId = null, taskId = null, mapIndex, tryNumber = null } = source ?? {};
    this.events.push({
      ...{ name, revision, position, uri, at, extra, partitionKey, aliases },
      source:
        dagId === null || runId === null || taskId === null || tryNumber === null
          ? null
          : { dagId, runId, taskId, mapIndex: (mapIndex ?? []).join('.'), tryNumber },
    });
  }

  applyAlias({ data: { alias, name, uri, at } }: AssetAliasEvent): void {
    this.aliases.push({ alias, name, uri, at });
  }

  /** An event of a DAG's stream; `definition`: of the version that it publishes. */
  applyDag(dagId: string, event: DagEvent, position: number, definition: DagDefinition | undefined): void {
    switch (event.type) {
      case 'DagVersionPublished':
        if (definition !== undefined) this.published(dagId, definition);
        return;
      case 'DagRetired':
        this.links.set(dagId, []);
        return;
      case 'AssetEventsQueued':
        for (const { key = '', ...range } of event.data.events)
          this.queue.push({ kind: 'queued', dagId, row: { ...range, partitionKey: key } });
        return;
      case 'AssetQueueDeleted':
        this.queue.push({ kind: 'deleted', dagId, ...event.data });
        return;
      case 'RunRequested':
        if (event.data.assetEvents !== undefined)
          this.queue.push({ kind: 'consumed', dagId, partitionKey: event.data.partitionKey ?? '', runNo: position });
        return;
      default:
    }
  }

  changes(): AssetChanges {
    return {
      assets: Array.from(this.moved, (name) => this.assets!.get(name)!),
      assetEvents: this.events,
      assetAliases: this.aliases,
      assetLinks: this.links,
      assetQueue: this.queue,
    };
  }

  private published(dagId: string, definition: DagDefinition): void {
    const condition = assetsOf(definition.timetable);
    const leaves = condition === undefined ? [] : assetLeaves(condition);
    const links: AssetLinkRow[] = [];
    const link = (use: AssetLinkRow['use'], taskId: string, leaf: (typeof leaves)[number] & { extra?: Json }): void => {
      if (leaf.kind === 'asset') this.upsert(leaf);
      const name = leaf.kind === 'uri' ? leaf.uri : leaf.name;
      links.push({ dagId, use, taskId, kind: leaf.kind, name });
    };
    for (const leaf of leaves) link('schedule', '', leaf);
    for (const task of definition.tasks) {
      for (const leaf of task.outlets ?? []) link('outlet', task.taskId, leaf);
      for (const leaf of task.inlets ?? []) link('inlet', task.taskId, leaf);
    }
    this.links.set(dagId, links);
    const named = (kind: 'asset' | 'alias' | 'uri'): string[] =>
      links.filter((each) => each.use === 'schedule' && each.kind === kind).map((each) => each.name);
    this.queue.push({
      kind: 'retargeted',
      dagId,
      names: named('asset'),
      aliases: named('alias'),
      uris: named('uri'),
    });
  }

  private upsert({ name, uri, group, extra }: AssetRef & { readonly extra?: Json }): void {
    const known = this.assets!.get(name);
    const next: AssetRow = {
      ...{ name, uri },
      group: group ?? known?.group ?? 'asset',
      extra: extra ?? known?.extra ?? {},
    };
    if (known?.uri === next.uri && known.group === next.group && known.extra === next.extra) return;
    this.assets!.set(name, next);
    this.moved.add(name);
  }
}
