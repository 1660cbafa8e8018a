import type { AssetUpdate } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import { Asset, AssetAlias, type AssetCondition, type Outlet } from '../authoring/asset.ts';
import { show } from '../authoring/error.ts';
import { jsonOf } from '../authoring/json.ts';
import type { AssetEventInfo, AssetEventQuery } from './contract.ts';
import type { AssetEvent, AssetUpdateOptions, InletEvents, OutletEvent, OutletEvents } from './task-context.ts';

/** Bytes of JSON that the updates of one attempt may have together: they stand in its event (I7). */
const TOGETHER = 32_768;
const MOST_EVENTS = 1_000;

/** What an attempt says of its outlets while it runs. */
export class OutletRecord implements OutletEvents {
  readonly #outlets: readonly Outlet[];
  readonly #events = new Map<string, Recorded>();

  constructor(outlets: readonly Outlet[]) {
    this.#outlets = outlets;
    for (const outlet of outlets) this.#events.set(keyOf(outlet), new Recorded(outlet));
  }

  get(outlet: Asset | AssetAlias | string): OutletEvent {
    const found =
      typeof outlet === 'string'
        ? (this.#events.get(`asset ${outlet}`) ?? this.#events.get(`alias ${outlet}`))
        : this.#events.get(keyOf(outlet));
    if (found !== undefined) return found;
    const names = this.#outlets.map((each) => `'${each.name}'`).join(', ') || 'none, the task has no outlets';
    throw new TypeError(`${show(String(outlet))} is not among the outlets of the task; allowed: ${names}`);
  }

  /** A value that a task returned: Metadata goes to its outlet, and is no XCom. */
  take(value: unknown): unknown {
    const list = Array.isArray(value) && value.length > 0 && value.every((each) => each instanceof Metadata);
    if (!(value instanceof Metadata) && !list) return value;
    for (const { asset, extra, alias } of [value].flat() as Metadata[])
      if (alias !== undefined) this.get(alias).add(asset as Asset, { extra });
      else this.get(asset).extra = { ...this.get(asset).extra, ...(extra as object) };
    return undefined;
  }

  /** One update for each outlet that is an asset, and one for each that was added through an alias. */
  updates(): readonly AssetUpdate[] {
    const updates = [...this.#events.values()].flatMap((event) => event.updates());
    const bytes = Buffer.byteLength(JSON.stringify(updates));
    if (bytes > TOGETHER)
      throw new RangeError(`the asset updates of the task have ${bytes} bytes of JSON; allowed are ${TOGETHER}`);
    return updates;
  }
}

class Recorded implements OutletEvent {
  extra: Record<string, unknown> = {};
  partitionKey: string | undefined;
  readonly #outlet: Outlet;
  readonly #added: AssetUpdate[] = [];

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  add(asset: Asset, { extra = this.extra, partitionKey = this.partitionKey }: AssetUpdateOptions = {}): void {
    if (!(this.#outlet instanceof AssetAlias))
      throw new TypeError(`add() is called on the asset '${this.#outlet.name}'; allowed: on an AssetAlias`);
    if (!(asset instanceof Asset)) throw new TypeError(`add() gets ${show(asset)}; allowed: an Asset`);
    this.#added.push({ ...updateOf(asset, extra, partitionKey), aliases: [this.#outlet.name] });
  }

  updates(): readonly AssetUpdate[] {
    return this.#outlet instanceof Asset ? [updateOf(this.#outlet, this.extra, this.partitionKey)] : this.#added;
  }
}

function updateOf({ name, uri, group }: Asset, given: unknown, partitionKey: string | undefined): AssetUpdate {
  const extra = jsonOf(given);
  if (!extra.ok) throw new TypeError(`extra of asset '${name}': ${extra.error}`);
  const isEmpty = typeof given === 'object' && given !== null && Object.keys(given).length === 0;
  return {
    ...{ name, uri },
    ...(group === undefined ? {} : { group }),
    ...(isEmpty ? {} : { extra: extra.value }),
    ...(partitionKey === undefined ? {} : { partitionKey }),
  };
}

/** Returned by a task: what is to be known about an update of one of its outlets. */
export class Metadata {
  readonly asset: Asset | string;
  readonly extra: Readonly<Record<string, unknown>>;
  /** The alias among the outlets through which the asset was updated. */
  readonly alias: AssetAlias | string | undefined;

  constructor(
    asset: Asset | string,
    extra: Readonly<Record<string, unknown>> = {},
    options: { readonly alias?: AssetAlias | string } = {},
  ) {
    this.asset = asset;
    this.extra = extra;
    this.alias = options.alias;
  }
}

const keyOf = (outlet: Outlet): string => `${outlet.expression.kind} ${outlet.name}`;

/** Past events of what the task reads. */
export function inletEvents(fetch: (query: AssetEventQuery) => Promise<readonly AssetEventInfo[]>): InletEvents {
  return {
    async get(inlet, { limit = 100 } = {}) {
      if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_EVENTS)
        throw new RangeError(`limit is ${show(limit)}; allowed: a whole number from 1 to ${MOST_EVENTS}`);
      return (await fetch(queryOf(inlet, limit))).map(eventOf);
    },
  };
}

function queryOf(inlet: AssetCondition | string, limit: number): AssetEventQuery {
  if (typeof inlet === 'string') return { kind: 'asset', name: inlet, limit };
  const { expression } = inlet;
  if (expression.kind === 'all' || expression.kind === 'any')
    throw new TypeError(`events are of one asset; allowed: an Asset, an AssetAlias, Asset.ref(…), or a name`);
  return { kind: expression.kind, name: expression.kind === 'uri' ? expression.uri : expression.name, limit };
}

export function eventOf({ at, source, ...event }: AssetEventInfo): AssetEvent {
  return { ...event, timestamp: new Date(at), source };
}

/** Events by the name of their asset, each list with the oldest first. */
export function byAsset(events: readonly AssetEventInfo[]): Readonly<Record<string, readonly AssetEvent[]>> {
  const groups: Record<string, AssetEvent[]> = {};
  for (const event of events) (groups[event.name] ??= []).push(eventOf(event));
  return groups;
}

/** As templates know an event. */
export function templateEvent({ name, uri, at, extra, partitionKey, source }: AssetEventInfo): Record<string, Json> {
  return {
    asset: { name, uri },
    ...{ name, uri, extra, partition_key: partitionKey, timestamp: new Date(at).toISOString() },
    source_dag_id: source?.dagId ?? null,
    source_run_id: source?.runId ?? null,
    source_task_id: source?.taskId ?? null,
    source_map_index: source === null || source.mapIndex === '' ? -1 : source.mapIndex,
  };
}
