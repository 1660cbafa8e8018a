import type { AssetExpression } from '../asset/condition.ts';
import type { Interval } from '../dag/events.ts';
import type { Delta } from './delta.ts';
import type { PartitionMapper, PartitionMapping } from './partition.ts';

/**
 * When a DAG runs, as plain JSON. All instants are epoch milliseconds UTC, all lengths milliseconds.
 * A *trigger* timetable runs at its tick; an *interval* timetable runs at the end of the data interval that began at its tick.
 */
export type TimetableSpec =
  | { readonly kind: 'none' }
  | { readonly kind: 'once' }
  | { readonly kind: 'continuous' }
  | CronTriggerSpec
  | { readonly kind: 'cron_interval'; readonly expression: string; readonly timezone: string }
  | MultiCronTriggerSpec
  | ({ readonly kind: 'delta_trigger'; readonly intervalMs?: number } & Delta)
  | ({ readonly kind: 'delta_interval' } & Delta)
  | EventsSpec
  | AssetSpec
  | CronPartitionSpec
  | CustomSpec
  | { readonly kind: 'asset_or_time'; readonly timetable: TimetableSpec; readonly assets: AssetExpression };

/** The author's own code says when runs are due: a worker's child asks it, and what it told is kept beside the timetable. */
export interface CustomSpec {
  readonly kind: 'custom';
  /** The name of its class. */
  readonly name: string;
  readonly description?: string;
}

/** Runs at each tick, each of the partition that stands for it, without a logical date. */
export interface CronPartitionSpec {
  readonly kind: 'cron_partition';
  readonly expression: string;
  /** IANA name; the keys are written by its clocks. */
  readonly timezone: string;
  /** How many ticks before (negative) or after its run the partition lies. Default 0: at it. */
  readonly runOffset?: number;
  /** Default `%Y-%m-%dT%H:%M:%S`. */
  readonly keyFormat?: string;
  readonly runImmediately?: RunImmediately;
}

export interface AssetSpec {
  readonly kind: 'asset';
  readonly assets: AssetExpression;
  /** A run for each partition, once the condition is true for its key. */
  readonly partitions?: PartitionSpec;
}

/** How the key of an event becomes the key of a run. */
export interface PartitionSpec {
  readonly mapping: PartitionMapperSpec;
  /** By the asset's name, where an asset is mapped in another way. */
  readonly byAsset?: Readonly<Record<string, PartitionMapperSpec>>;
}

export type PartitionMapperSpec = { readonly mapper: PartitionMapper } & PartitionMapping;

export interface CronTriggerSpec {
  readonly kind: 'cron_trigger';
  /** Five fields, or six with the seconds last. Presets are stored expanded. */
  readonly expression: string;
  /** IANA name. */
  readonly timezone: string;
  /** Length of the data interval that ends at the tick. Default 0. */
  readonly intervalMs?: number;
  readonly runImmediately?: RunImmediately;
}

export interface MultiCronTriggerSpec {
  readonly kind: 'multi_cron_trigger';
  readonly expressions: readonly string[];
  readonly timezone: string;
  readonly intervalMs?: number;
  readonly runImmediately?: RunImmediately;
}

export interface EventsSpec {
  readonly kind: 'events';
  /** Ascending, without repeats. */
  readonly eventDates: readonly number[];
  /** True: a manual run takes the most recent event as its interval. Default false. */
  readonly restrictToEvents?: boolean;
  readonly description?: string;
}

/**
 * The first run of a DAG without a start date: `true` the previous tick; milliseconds: the previous tick if it is no longer
 * ago than that; `false` (default): the previous tick if it is no longer ago than a tenth of the gap, at least 5 minutes.
 */
export type RunImmediately = boolean | number;

/** Bounds on the tick (trigger) or on the interval's start (interval), both inclusive; null: no bound. */
export interface Restriction {
  readonly earliest: number | null;
  readonly latest: number | null;
  readonly catchup: boolean;
}

export interface NextRunQuery {
  readonly now: number;
  /** Data interval of the last scheduled or backfill run; null before the first. */
  readonly last: Interval | null;
  readonly restriction: Restriction;
}

export interface NextRun {
  readonly dataInterval: Interval;
  /** The run is due at this instant. */
  readonly runAfter: number;
  /** The start of the data interval; of a run of a partition, the tick that it stands for. */
  readonly logicalDate: number;
  /** The run has no logical date and no data interval but this. */
  readonly partitionKey?: string;
}
