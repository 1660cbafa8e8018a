import { assertNever } from '@rondo/kernel';
import type { Interval } from '../dag/events.ts';
import { alignToNext, alignToPrev, cronTicks, type Ticks } from './cron.ts';
import { parseCron } from './cron-fields.ts';
import { addDelta, deltasSince, type Delta } from './delta.ts';
import { partitionKeyAt } from './partition.ts';
import type {
  CronPartitionSpec,
  CronTriggerSpec,
  EventsSpec,
  MultiCronTriggerSpec,
  NextRun,
  NextRunQuery,
  RunImmediately,
  TimetableSpec,
} from './types.ts';

/** The next run that the timetable wants; null for none. Bounds are inclusive. */
export function nextRun(spec: TimetableSpec, query: NextRunQuery): NextRun | null {
  switch (spec.kind) {
    case 'none':
    case 'asset':
    // What it told is not part of it: `nextTold`.
    case 'custom':
      return null;
    case 'asset_or_time':
      return nextRun(spec.timetable, query);
    case 'cron_partition':
      return nextPartition(spec, query);
    case 'once':
      return nextOnce(query);
    case 'continuous':
      return nextContinuous(query);
    case 'cron_trigger':
      return nextTrigger(cronBeat(spec.expression, spec.timezone, spec.runImmediately), spec.intervalMs ?? 0, query);
    case 'multi_cron_trigger':
      return nextOfMany(spec, query);
    case 'delta_trigger':
      return nextTrigger(deltaBeat(spec), spec.intervalMs ?? 0, query);
    case 'cron_interval':
      return nextInterval(cronBeat(spec.expression, spec.timezone, undefined), query);
    case 'delta_interval':
      return nextInterval(deltaBeat(spec), query);
    case 'events':
      return nextEvent(spec, query);
    default:
      return assertNever(spec, 'timetable');
  }
}

/** The data interval of a run that somebody asks for. */
export function manualInterval(spec: TimetableSpec, runAfter: number): Interval {
  switch (spec.kind) {
    case 'none':
    case 'asset':
    case 'once':
    case 'continuous':
    case 'custom':
      return [runAfter, runAfter];
    case 'cron_partition':
      return [runAfter, runAfter];
    case 'asset_or_time':
      return manualInterval(spec.timetable, runAfter);
    case 'cron_trigger':
    case 'multi_cron_trigger':
    case 'delta_trigger':
      return [runAfter - (spec.intervalMs ?? 0), runAfter];
    case 'cron_interval': {
      const ticks = ticksOf(spec.expression, spec.timezone);
      const end = alignToPrev(ticks, runAfter) ?? runAfter;
      return [ticks.prev(end) ?? end, end];
    }
    case 'delta_interval':
      return [addDelta(runAfter, spec, -1), runAfter];
    case 'events':
      return manualEvent(spec, runAfter);
    default:
      return assertNever(spec, 'timetable');
  }
}

function runOf(start: number, end: number): NextRun {
  return { dataInterval: [start, end], runAfter: end, logicalDate: start };
}

/** What trigger and interval timetables need of a cron expression or a delta. An undefined tick: it never comes. */
interface Beat extends Ticks {
  readonly alignToNext: (instant: number) => number | undefined;
  readonly alignToPrev: (instant: number) => number | undefined;
  /** The tick to start with when neither a run nor a start date says so. */
  readonly firstRun: (now: number) => number | undefined;
  /** The start of the last complete interval at `now`. */
  readonly latestStart: (now: number, earliest: number | null) => number | undefined;
  /** Where an interval timetable starts after `earliest`, without catchup. */
  readonly alignEarliest: (earliest: number) => number | undefined;
}

function ticksOf(expression: string, timezone: string): Ticks {
  const fields = parseCron(expression);
  if (!fields.ok) throw new Error(fields.error);
  return cronTicks(fields.value, timezone);
}

function cronBeat(expression: string, timezone: string, runImmediately: RunImmediately | undefined): Beat {
  const ticks = ticksOf(expression, timezone);
  const toNext = (instant: number): number | undefined => alignToNext(ticks, instant);
  return {
    ...ticks,
    alignToNext: toNext,
    alignToPrev: (instant) => alignToPrev(ticks, instant),
    firstRun: (now) => firstCronRun(ticks, now, runImmediately ?? false),
    latestStart: (now) => {
      const last = ticks.prev(now);
      if (last === undefined) return undefined;
      return ticks.next(last) === now ? last : (ticks.prev(last) ?? last);
    },
    alignEarliest: toNext,
  };
}

function deltaBeat(delta: Delta): Beat {
  const same = (instant: number): number => instant;
  return {
    next: (instant) => addDelta(instant, delta),
    prev: (instant) => addDelta(instant, delta, -1),
    alignToNext: same,
    alignToPrev: same,
    firstRun: same,
    // Months have no common length: they are counted from where the timetable starts, milliseconds from the epoch.
    latestStart: (now, earliest) => {
      const anchor = delta.months === undefined ? 0 : (earliest ?? 0);
      return addDelta(anchor, delta, deltasSince(anchor, now, delta) - 1);
    },
    alignEarliest: same,
  };
}

const LEAST_BUFFER_MS = 300_000;

function firstCronRun(ticks: Ticks, now: number, runImmediately: RunImmediately): number | undefined {
  const past = alignToPrev(ticks, now);
  const next = alignToNext(ticks, now);
  if (past === undefined || runImmediately === true) return past;
  if (next === undefined) return undefined;
  const buffer = typeof runImmediately === 'number' ? runImmediately : Math.max((next - past) / 10, LEAST_BUFFER_MS);
  return now - past <= buffer ? past : next;
}

function nextTrigger(beat: Beat, intervalMs: number, { now, last, restriction }: NextRunQuery): NextRun | null {
  const { earliest, latest, catchup } = restriction;
  const tick = catchup ? catchupTick(beat, now, last, earliest) : latestTick(beat, now, last, earliest);
  if (tick === undefined || (latest !== null && tick > latest)) return null;
  return runOf(tick - intervalMs, tick);
}

function catchupTick(beat: Beat, now: number, last: Interval | null, earliest: number | null): number | undefined {
  if (last !== null) return beat.next(last[1]);
  return earliest === null ? beat.firstRun(now) : beat.alignToNext(earliest);
}

/** Without catchup: the most recent tick that is not older than what the last run and the start date allow. */
function latestTick(beat: Beat, now: number, last: Interval | null, earliest: number | null): number | undefined {
  const bounds: (number | undefined)[] = [];
  if (last !== null) bounds.push(beat.next(last[1]));
  else if (earliest === null) bounds.push(beat.firstRun(now));
  if (earliest !== null) bounds.push(beat.alignToNext(earliest));
  let tick = beat.alignToPrev(now) ?? Number.NEGATIVE_INFINITY;
  for (const bound of bounds) {
    if (bound === undefined) return undefined;
    tick = Math.max(tick, bound);
  }
  return Number.isFinite(tick) ? tick : undefined;
}

function nextPartition(spec: CronPartitionSpec, query: NextRunQuery): NextRun | null {
  const { expression, timezone, runOffset = 0, keyFormat, runImmediately } = spec;
  const run = nextTrigger(cronBeat(expression, timezone, runImmediately), 0, query);
  if (run === null) return null;
  const ticks = ticksOf(expression, timezone);
  let at: number | undefined = run.runAfter;
  for (let i = 0; i < Math.abs(runOffset) && at !== undefined; i++)
    at = runOffset < 0 ? ticks.prev(at) : ticks.next(at);
  if (at === undefined) return null;
  const key = partitionKeyAt(at, timezone, keyFormat);
  if (!key.ok) throw new Error(key.error);
  return { ...run, logicalDate: at, partitionKey: key.value };
}

/** Catchup: the earliest of all; else the latest that is not after now, or the earliest in the future. One run an instant. */
function nextOfMany(spec: MultiCronTriggerSpec, query: NextRunQuery): NextRun | null {
  let best: NextRun | null = null;
  let bestKey = Number.POSITIVE_INFINITY;
  for (const expression of spec.expressions) {
    const { kind: _kind, expressions: _expressions, ...rest } = spec;
    const single: CronTriggerSpec = { kind: 'cron_trigger', expression, ...rest };
    const run = nextRun(single, query);
    if (run === null) continue;
    const key = !query.restriction.catchup && run.logicalDate <= query.now ? -run.logicalDate : run.logicalDate;
    if (key < bestKey) [best, bestKey] = [run, key];
  }
  return best;
}

function nextInterval(beat: Beat, { now, last, restriction }: NextRunQuery): NextRun | null {
  const { latest, catchup } = restriction;
  const earliest = catchup
    ? alignedEarliest(beat, restriction.earliest)
    : skipToLatest(beat, now, restriction.earliest);
  if (earliest === undefined) return null;
  const start = intervalStart(beat, last, earliest);
  if (start === undefined || (latest !== null && start > latest)) return null;
  const end = beat.next(start);
  return end === undefined ? null : runOf(start, end);
}

function alignedEarliest(beat: Beat, earliest: number | null): number | null | undefined {
  return earliest === null ? null : beat.alignToNext(earliest);
}

/** Without catchup an interval starts no earlier than the last complete one. */
function skipToLatest(beat: Beat, now: number, earliest: number | null): number | undefined {
  const latest = beat.latestStart(now, earliest);
  if (earliest === null) return latest;
  const aligned = beat.alignEarliest(earliest);
  return aligned === undefined ? undefined : Math.max(latest ?? aligned, aligned);
}

function intervalStart(beat: Beat, last: Interval | null, earliest: number | null): number | undefined {
  if (last === null) return earliest ?? undefined;
  // The end of the last interval is no tick any more when the schedule has changed since.
  const start = beat.alignToPrev(last[1]) ?? last[1];
  return earliest === null ? start : Math.max(start, earliest);
}

function nextOnce({ now, last, restriction: { earliest, latest } }: NextRunQuery): NextRun | null {
  if (last !== null) return null;
  const at = earliest ?? now;
  return latest !== null && at > latest ? null : runOf(at, at);
}

function nextContinuous({ now, last, restriction: { earliest, latest } }: NextRunQuery): NextRun | null {
  if (earliest === null) return null;
  let [start, end] = [earliest, Math.max(earliest, now)];
  if (last !== null && last[1] <= now) [start, end] = [last[1], now];
  else if (last !== null) end = earliest + (last[1] - last[0]);
  return latest !== null && end > latest ? null : runOf(start, end);
}

function nextEvent(
  spec: EventsSpec,
  { now, last, restriction: { earliest, latest, catchup } }: NextRunQuery,
): NextRun | null {
  const from = catchup ? (earliest ?? Number.NEGATIVE_INFINITY) : Math.max(earliest ?? now, now);
  let next: number | undefined;
  for (const date of spec.eventDates) {
    if (date < from || (last !== null && date <= last[1])) continue;
    if (next === undefined || date < next) next = date;
  }
  return next === undefined || (latest !== null && next > latest) ? null : runOf(next, next);
}

function manualEvent(spec: EventsSpec, runAfter: number): Interval {
  if (spec.restrictToEvents !== true || spec.eventDates.length === 0) return [runAfter, runAfter];
  const past = spec.eventDates.filter((date) => date <= runAfter);
  const date =
    past.length > 0 ? past.reduce((a, b) => Math.max(a, b)) : spec.eventDates.reduce((a, b) => Math.min(a, b));
  return [date, date];
}
