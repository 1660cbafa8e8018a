import {
  assetLeaves,
  assetsOf,
  assetStream,
  namesOf,
  watchKey,
  type AssetAliasEvent,
  type AssetArrival,
  type AssetDirectory,
  type AssetEvent,
  type AssetLeaf,
  type DagState,
} from '@rondo/domain';
import type { Clock, EventStore, Position, RecordedEvent, Subscription } from '@rondo/ports';

const ASSET = 'asset-';
const ALIAS = 'assetAlias-';
const RETRY_MS = 1_000;

/** What a DAG's turn knows of assets: those that aliases and URIs have come to stand for, and events it has not heard. */
export interface AssetNews {
  readonly directory: AssetDirectory;
  readonly arrivals: readonly AssetArrival[];
}

const NO_NEWS: readonly AssetArrival[] = [];

/**
 * Follows the streams of all assets and wakes the DAGs that wait for one (I6). A wake says nothing: a DAG's turn reads what
 * lies behind the revision that its own history has accounted for, so that no event is lost with a message or counted twice.
 */
export class AssetWatch {
  private readonly store: EventStore;
  private readonly clock: Clock;
  private readonly wake: (dagIds: ReadonlySet<string>) => void;
  private readonly heads = new Map<string, number>();
  /** By alias: the position at which it came to stand for each asset. */
  private readonly aliases = new Map<string, Map<string, Position>>();
  /** By URI, the assets whose last event has it; loaded when the first DAG waits for a URI. */
  private uris: Map<string, Set<string>> | undefined;
  private readonly listeners = new Map<string, Set<string>>();
  private readonly listensTo = new Map<string, readonly string[]>();
  private subscription: Subscription | undefined;
  private cancelRetry: (() => void) | undefined;
  private closed = false;

  constructor(store: EventStore, clock: Clock, wake: (dagIds: ReadonlySet<string>) => void) {
    this.store = store;
    this.clock = clock;
    this.wake = wake;
  }

  /** Resolves when every asset of the history is known. */
  async start(): Promise<void> {
    const head = await this.store.head();
    for (const { stream, revision } of await this.store.listStreams(ASSET))
      this.heads.set(stream.slice(ASSET.length), revision);
    for (const { stream } of await this.store.listStreams(ALIAS))
      for await (const page of this.store.readStream(stream)) page.forEach((event) => this.hear(event));
    this.follow(head);
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.cancelRetry?.();
    await this.subscription?.stop();
  }

  forget(dagId: string): void {
    for (const key of this.listensTo.get(dagId) ?? []) this.listeners.get(key)?.delete(dagId);
    this.listensTo.delete(dagId);
  }

  /** The DAG is woken from here on. True: there is something that it has not heard. */
  listen(dag: DagState): boolean {
    const condition = assetsOf(dag.scheduling?.timetable);
    if (condition === undefined && !this.listensTo.has(dag.dagId)) return false;
    this.forget(dag.dagId);
    if (condition === undefined || dag.retired) return false;
    const leaves = assetLeaves(condition).filter((leaf) => leaf.kind !== 'asset');
    const keys = [...leaves.map(watchKey), ...[...dag.assets.seen.keys()].map(keyOfName)];
    this.listensTo.set(dag.dagId, keys);
    for (const key of keys) {
      const dags = this.listeners.get(key) ?? new Set();
      this.listeners.set(key, dags.add(dag.dagId));
    }
    for (const [name, revision] of dag.assets.seen) if (this.headOf(name) > revision) return true;
    return leaves.some((leaf) => this.unknownNames(dag, leaf).length > 0);
  }

  /** What a turn of the DAG has to know; `published`: conditions that the turn may publish. */
  async newsFor(dag: DagState, published: readonly AssetLeaf[]): Promise<AssetNews> {
    const condition = assetsOf(dag.scheduling?.timetable);
    const own = condition === undefined ? [] : assetLeaves(condition);
    if ([...own, ...published].some((leaf) => leaf.kind === 'uri')) await this.loadUris();
    const found = new Map<string, { readonly name: string; readonly after: number }[]>();
    const from = new Map(dag.assets.seen);
    for (const leaf of own)
      for (const name of this.unknownNames(dag, leaf)) {
        const after = await this.lastBefore(name, leaf);
        found.set(watchKey(leaf), [...(found.get(watchKey(leaf)) ?? []), { name, after }]);
        if (!from.has(name)) from.set(name, after);
      }
    const arrivals: AssetArrival[] = [];
    for (const [name, revision] of from)
      if (this.headOf(name) > revision) arrivals.push(...(await this.read(name, revision + 1)));
    // A new version begins at the head, whatever came before.
    for (const leaf of published)
      if (!found.has(watchKey(leaf)))
        found.set(
          watchKey(leaf),
          this.standsFor(leaf).map((name) => ({ name, after: this.headOf(name) })),
        );
    const directory: AssetDirectory = {
      headOf: (name) => this.headOf(name),
      resolve: (leaf) => found.get(watchKey(leaf)) ?? [],
    };
    return { directory, arrivals: arrivals.length === 0 ? NO_NEWS : arrivals };
  }

  private headOf(name: string): number {
    return this.heads.get(name) ?? -1;
  }

  private standsFor(leaf: AssetLeaf): readonly string[] {
    if (leaf.kind === 'alias') return [...(this.aliases.get(leaf.name)?.keys() ?? [])];
    return leaf.kind === 'uri' ? [...(this.uris?.get(leaf.uri) ?? [])] : [];
  }

  private unknownNames(dag: DagState, leaf: AssetLeaf): readonly string[] {
    if (leaf.kind === 'asset') return [];
    const known = new Set(namesOf(dag.assets, leaf));
    return this.standsFor(leaf).filter((name) => !known.has(name));
  }

  /**
   * The revision of the asset before it came to belong to the leaf. What a version found when it was published it knows: so
   * this came later, and everything since counts.
   */
  private async lastBefore(name: string, leaf: AssetLeaf): Promise<number> {
    const since = leaf.kind === 'alias' ? (this.aliases.get(leaf.name)?.get(name) ?? 0) : 0;
    const belongs = (event: RecordedEvent): boolean =>
      leaf.kind === 'uri' ? bodyOf(event).data.uri === leaf.uri : event.position > since;
    for await (const page of this.store.readStream(assetStream(name), { backwards: true }))
      for (const event of page) if (!belongs(event)) return event.revision;
    return -1;
  }

  private async read(name: string, from: number): Promise<AssetArrival[]> {
    const arrivals: AssetArrival[] = [];
    for await (const page of this.store.readStream(assetStream(name), { from }))
      for (const event of page) {
        const { at, partitionKey } = bodyOf(event).data;
        const { revision, position } = event;
        arrivals.push({ name, revision, position, at, ...(partitionKey === undefined ? {} : { partitionKey }) });
      }
    return arrivals;
  }

  private async loadUris(): Promise<void> {
    if (this.uris !== undefined) return;
    const uris = (this.uris = new Map<string, Set<string>>());
    for (const name of this.heads.keys())
      for await (const page of this.store.readStream(assetStream(name), { backwards: true, limit: 1 }))
        for (const event of page) addTo(uris, bodyOf(event).data.uri, name);
  }

  private follow(after: Position): void {
    let seen = after;
    this.subscription = this.store.subscribe({
      name: 'assets',
      after,
      filter: { streamPrefixes: [ASSET, ALIAS] },
      onBatch: (events, through) => {
        const woken = new Set<string>();
        for (const event of events)
          for (const key of this.hear(event)) for (const dagId of this.listeners.get(key) ?? []) woken.add(dagId);
        if (woken.size > 0) this.wake(woken);
        seen = through;
      },
      onDrop: () => {
        if (this.closed) return;
        this.cancelRetry = this.clock.at(this.clock.now() + RETRY_MS, () => this.follow(seen));
      },
    });
  }

  /** Answers who may want to know. */
  private hear(recorded: RecordedEvent): readonly string[] {
    if (recorded.stream.startsWith(ALIAS)) {
      const { alias, name } = JSON.parse(recorded.data) as AssetAliasEvent['data'];
      const names = this.aliases.get(alias) ?? new Map<string, Position>();
      this.aliases.set(alias, names);
      if (!names.has(name)) names.set(name, recorded.position);
      return [`alias ${alias}`];
    }
    const name = recorded.stream.slice(ASSET.length);
    this.heads.set(name, Math.max(recorded.revision, this.headOf(name)));
    if (this.uris === undefined) return [keyOfName(name)];
    const { uri } = bodyOf(recorded).data;
    addTo(this.uris, uri, name);
    return [keyOfName(name), `uri ${uri}`];
  }
}

const keyOfName = (name: string): string => `asset ${name}`;

const bodyOf = (recorded: RecordedEvent): AssetEvent =>
  ({ type: recorded.type, data: JSON.parse(recorded.data) as unknown }) as AssetEvent;

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  map.set(key, (map.get(key) ?? new Set()).add(value));
}
