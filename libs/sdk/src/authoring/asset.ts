import {
  allOf,
  anyOf,
  assetOf,
  validateAssetName,
  type AssetExpression,
  type AssetLeaf,
  type PartitionMapper,
  type PartitionMapperSpec,
  type PartitionMapping,
  type TimetableSpec,
} from '@rondo/domain';
import type { Json, Result } from '@rondo/kernel';
import { callSite } from './call-site.ts';
import { DagError, show } from './error.ts';
import { jsonOf } from './json.ts';
import type { CronIntervalSchedule, ScheduleInput } from './schedule.ts';

const ASSET = Symbol.for('rondo.AssetCondition');

/** What a DAG may wait for: assets, aliases, and what `and` and `or` make of them. */
export class AssetCondition {
  readonly [ASSET] = true;
  readonly expression: AssetExpression;

  constructor(expression: AssetExpression) {
    this.expression = expression;
  }

  /** True for a condition of any copy of the SDK. */
  static is(value: unknown): value is AssetCondition {
    return typeof value === 'object' && value !== null && ASSET in value;
  }

  /** Both were updated since the last run. */
  and(other: AssetCondition): AssetCondition {
    return new AssetCondition(allOf(this.expression, expressionOf(other)));
  }

  /** One of the two was updated since the last run. */
  or(other: AssetCondition): AssetCondition {
    return new AssetCondition(anyOf(this.expression, expressionOf(other)));
  }

  toString(): string {
    return JSON.stringify(this.expression);
  }
}

/** True once all of these were updated since the last run. */
export const all = (...conditions: readonly AssetCondition[]): AssetCondition =>
  new AssetCondition({ kind: 'all', of: conditions.map(expressionOf) });

/** True once one of these was updated since the last run. */
export const any = (...conditions: readonly AssetCondition[]): AssetCondition =>
  new AssetCondition({ kind: 'any', of: conditions.map(expressionOf) });

function expressionOf(value: AssetCondition): AssetExpression {
  if (AssetCondition.is(value)) return value.expression;
  throw new DagError(
    `${show(value)} is not an asset; allowed: an Asset, an AssetAlias, or what all() and any() make of them`,
    {
      at: callSite(),
    },
  );
}

export interface AssetOptions {
  /** Unique among all assets. Default: the URI. */
  readonly name?: string;
  /** Where it is. Default: the name. */
  readonly uri?: string;
  /** Default `asset`. */
  readonly group?: string;
  /** What is to be known about it. JSON. */
  readonly extra?: Json;
}

/** A thing that tasks update and other DAGs wait for: `new Asset('orders')`, `new Asset({ name: 'orders', uri: 's3://…' })`. */
export class Asset extends AssetCondition {
  readonly name: string;
  readonly uri: string;
  readonly group: string | undefined;
  readonly extra: Json;

  constructor(given: string | AssetOptions) {
    const options = typeof given === 'string' ? { name: given } : given;
    const at = callSite();
    const isObject = typeof options === 'object' && options !== null;
    const parsed = isObject ? assetOf(options) : undefined;
    if (parsed?.ok !== true)
      throw new DagError(
        parsed?.error ?? `an asset is ${show(given)}; allowed: a name or URI, or { name, uri, group, extra }`,
        { at },
      );
    const { name, uri, group, warning } = parsed.value;
    if (warning !== undefined) process.emitWarning(warning, 'AssetWarning');
    const extra = jsonOf(options.extra ?? {});
    if (!extra.ok) throw new DagError(`extra of asset '${name}': ${extra.error}`, { at });
    super({ kind: 'asset', name, uri, ...(group === undefined ? {} : { group }) });
    this.name = name;
    this.uri = uri;
    this.group = group;
    this.extra = extra.value;
  }

  /** Assets that others declare: the one of this name, or all that have this URI. */
  static ref(given: { readonly name: string } | { readonly uri: string }): AssetCondition {
    const parsed = assetOf(given);
    if (!parsed.ok) throw new DagError(parsed.error, { at: callSite() });
    const { name, uri } = parsed.value;
    return new AssetCondition('uri' in given ? { kind: 'uri', uri } : { kind: 'asset', name, uri });
  }

  override toString(): string {
    return this.name;
  }
}

/** A name for assets that are known only when a task runs. */
export class AssetAlias extends AssetCondition {
  readonly name: string;

  constructor(name: string) {
    const valid: Result<string> = typeof name === 'string' ? validateAssetName(name) : validateAssetName('');
    if (!valid.ok) throw new DagError(`alias: ${valid.error}`, { at: callSite() });
    super({ kind: 'alias', name });
    this.name = name;
  }

  override toString(): string {
    return this.name;
  }
}

/** Runs by the clock, and when assets are updated as well. */
export class AssetOrTime {
  readonly time: ScheduleInput | CronIntervalSchedule;
  readonly assets: AssetCondition | readonly AssetCondition[];

  constructor(time: ScheduleInput | CronIntervalSchedule, assets: AssetCondition | readonly AssetCondition[]) {
    this.time = time;
    this.assets = assets;
  }
}

/** `assetOrTime('@daily', orders)`: runs every day, and whenever orders were updated. */
export const assetOrTime = (
  timetable: ScheduleInput | CronIntervalSchedule,
  assets: AssetCondition | readonly AssetCondition[],
): AssetOrTime => new AssetOrTime(timetable, assets);

/** How the partition key of an update becomes the key of a run. Default mapper `identity`. */
export type MapperOption = PartitionMapper | ({ readonly mapper: PartitionMapper } & PartitionMapping);

export interface PartitionOptions {
  readonly mapper?: MapperOption;
  /** By the asset's name, where one is mapped in another way. */
  readonly byAsset?: Readonly<Record<string, MapperOption>>;
}

/** A run for each partition. */
export class PartitionedAssets {
  readonly assets: AssetCondition | readonly AssetCondition[];
  readonly options: PartitionOptions;

  constructor(assets: AssetCondition | readonly AssetCondition[], options: PartitionOptions) {
    this.assets = assets;
    this.options = options;
  }
}

/** `partitioned([hours], { mapper: 'daily' })`: a run for each day, once all assets have an update that falls in it. */
export const partitioned = (
  assets: AssetCondition | readonly AssetCondition[],
  options: PartitionOptions = {},
): PartitionedAssets => new PartitionedAssets(assets, options);

export type AssetSchedule = AssetCondition | readonly AssetCondition[] | AssetOrTime | PartitionedAssets;

/** The timetable of a schedule that names assets; undefined for one that names none. `time` reads the other schedules. */
export function assetTimetable(
  schedule: unknown,
  time: (schedule: unknown) => Result<TimetableSpec>,
): Result<TimetableSpec> | undefined {
  if (schedule instanceof AssetOrTime) {
    const timetable = time(schedule.time);
    if (!timetable.ok) return timetable;
    return {
      ok: true,
      value: { kind: 'asset_or_time', timetable: timetable.value, assets: conditionOf(schedule.assets) },
    };
  }
  if (schedule instanceof PartitionedAssets) {
    const { mapper = 'identity', byAsset } = schedule.options;
    const named = Object.entries(byAsset ?? {}).map(([name, option]) => [name, mapperSpec(option)] as const);
    const partitions = {
      mapping: mapperSpec(mapper),
      ...(named.length === 0 ? {} : { byAsset: Object.fromEntries(named) }),
    };
    return { ok: true, value: { kind: 'asset', assets: conditionOf(schedule.assets), partitions } };
  }
  const isList = Array.isArray(schedule) && schedule.some((each) => AssetCondition.is(each));
  if (!AssetCondition.is(schedule) && !isList) return undefined;
  return { ok: true, value: { kind: 'asset', assets: conditionOf(schedule as AssetCondition) } };
}

/** A list of assets stands for all of them. */
function conditionOf(assets: AssetCondition | readonly AssetCondition[]): AssetExpression {
  return Array.isArray(assets) ? { kind: 'all', of: assets.map(expressionOf) } : expressionOf(assets as AssetCondition);
}

const mapperSpec = (option: MapperOption): PartitionMapperSpec =>
  typeof option === 'string' ? { mapper: option } : option;

export type Outlet = Asset | AssetAlias;

export const isOutlet = (value: unknown): value is Outlet =>
  AssetCondition.is(value) && (value.expression.kind === 'asset' || value.expression.kind === 'alias');

/** An outlet or inlet as the definition keeps it. */
export function outletLeaf(outlet: AssetCondition): AssetLeaf & { readonly extra?: Json } {
  const leaf = outlet.expression as AssetLeaf;
  const extra =
    outlet instanceof Asset && Object.keys(outlet.extra as object).length > 0 ? { extra: outlet.extra } : {};
  return { ...leaf, ...extra };
}
