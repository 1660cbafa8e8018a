import {
  parseDelta,
  type CalendarDelta,
  type CronSchedule,
  type Delta,
  type EventsSchedule,
  type ScheduleInput,
  type TimetableSpec,
} from '@rondo/domain';
import { parseDuration, type Duration } from '@rondo/kernel';
import { callSite } from './call-site.ts';
import { DagError } from './error.ts';

export type { ScheduleInput };

/** Runs at each tick of the cron expression. `interval`: the data interval that ends at the tick. Default: none. */
export function cronTrigger(cron: string, options: Omit<CronSchedule, 'cron'> = {}): CronSchedule {
  return { cron, ...options };
}

/** Runs at the end of each interval between two ticks; the logical date is the interval's start. Default zone: the DAG's. */
export function cronInterval(cron: string, options: { readonly timezone?: string } = {}): CronIntervalSchedule {
  return { interval: 'cron', cron, ...options };
}

/** Runs at the ticks of several cron expressions, once where they meet. */
export function multiCron(crons: readonly string[], options: Omit<CronSchedule, 'cron'> = {}): CronSchedule {
  return { cron: crons, ...options };
}

/** Runs every so often, each run at the end of an interval of that length. Months and years are those of the UTC calendar. */
export function deltaInterval(every: Duration | CalendarDelta): TimetableSpec {
  return { kind: 'delta_interval', ...deltaOf(every) };
}

/** Runs every so often. `interval`: the data interval that ends at the run. Default: none. */
export function deltaTrigger(
  every: Duration | CalendarDelta,
  options: { readonly interval?: Duration } = {},
): TimetableSpec {
  return {
    kind: 'delta_trigger',
    ...deltaOf(every),
    ...(options.interval === undefined ? {} : { intervalMs: milliseconds(options.interval) }),
  };
}

/** Runs at the listed moments. */
export function events(
  dates: readonly (string | number | Date)[],
  options: Omit<EventsSchedule, 'events'> = {},
): EventsSchedule {
  return { events: dates, ...options };
}

/** One run. */
export const once = (): TimetableSpec => ({ kind: 'once' });
/** One run after the other, without a pause. */
export const continuous = (): TimetableSpec => ({ kind: 'continuous' });

export interface CronPartitionSchedule {
  readonly partition: 'cron';
  readonly cron: string;
  readonly timezone?: string;
  readonly runOffset?: number;
  readonly keyFormat?: string;
}

/**
 * Runs at each tick of the cron expression, each of a partition and without a logical date. `runOffset`: how many ticks after
 * its run the partition lies, negative: before (default 0); `keyFormat`: of its key, default `%Y-%m-%dT%H:%M:%S`. Default zone:
 * the DAG's.
 */
export function cronPartition(
  cron: string,
  options: Omit<CronPartitionSchedule, 'partition' | 'cron'> = {},
): CronPartitionSchedule {
  return { partition: 'cron', cron, ...options };
}

export function isCronPartition(value: unknown): value is CronPartitionSchedule {
  return typeof value === 'object' && value !== null && 'partition' in value && value.partition === 'cron';
}

export interface CronIntervalSchedule {
  readonly interval: 'cron';
  readonly cron: string;
  readonly timezone?: string;
}

export function isCronInterval(value: unknown): value is CronIntervalSchedule {
  return (
    typeof value === 'object' && value !== null && 'interval' in value && value.interval === 'cron' && 'cron' in value
  );
}

function deltaOf(every: Duration | CalendarDelta): Delta {
  const parsed = parseDelta(every);
  if (!parsed.ok) throw new DagError(`schedule: ${parsed.error}`, { at: callSite() });
  return parsed.value;
}

function milliseconds(duration: Duration): number {
  const parsed = parseDuration(duration);
  if (!parsed.ok) throw new DagError(`schedule: ${parsed.error}`, { at: callSite() });
  return parsed.value;
}
