/**
 * What the timetables say, told in the plainest way: wall time is asked of the calendar of the machine, ticks are looked for
 * quarter of an hour by quarter of an hour. It knows nothing of the code.
 */
export interface NaiveCron {
  readonly minutes: readonly number[];
  /** Undefined: every hour. */
  readonly hours: readonly number[] | undefined;
  readonly weekdays: readonly number[] | undefined;
  readonly zone: string;
}

export const STEP = 900_000;
const HOUR = 3_600_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** What a clock in the zone shows, as if it were UTC. */
export function wall(instant: number, zone: string): number {
  let format = formats.get(zone);
  if (format === undefined) {
    const parts = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const;
    format = new Intl.DateTimeFormat('en-US', { ...parts, timeZone: zone, hourCycle: 'h23' });
    formats.set(zone, format);
  }
  const shown: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(instant)) shown[type] = Number(value);
  return Date.UTC(shown['year']!, shown['month']! - 1, shown['day'], shown['hour'], shown['minute']);
}

/** A time that is left out moves forward by what is left out; of one that comes twice the second counts. */
function instantOf(shown: number, zone: string): number {
  for (let offset = -12 * HOUR; offset <= 14 * HOUR; offset += STEP) {
    // From the smallest offset on: the latest instant comes first.
    if (wall(shown - offset, zone) === shown) return shown - offset;
  }
  const before = shown - 24 * HOUR;
  return shown - (wall(before, zone) - before);
}

function fits({ minutes, hours, weekdays }: NaiveCron, shown: number): boolean {
  const date = new Date(shown);
  return (
    minutes.includes(date.getUTCMinutes()) &&
    (hours?.includes(date.getUTCHours()) ?? true) &&
    (weekdays?.includes(date.getUTCDay()) ?? true)
  );
}

function step(cron: NaiveCron, instant: number, by: 1 | -1): number {
  const shown = wall(instant, cron.zone);
  let at = by === 1 ? Math.floor(shown / STEP) * STEP + STEP : Math.ceil(shown / STEP) * STEP - STEP;
  while (!fits(cron, at)) at += by * STEP;
  // Every hour: the distance on the clock is kept, over less than a day.
  return cron.hours === undefined && Math.abs(at - shown) < 24 * HOUR ? instant + at - shown : instantOf(at, cron.zone);
}

export const next = (cron: NaiveCron, instant: number): number => step(cron, instant, 1);
export const prev = (cron: NaiveCron, instant: number): number => step(cron, instant, -1);
/** The instant itself where it is a tick. */
export const nextOrSame = (cron: NaiveCron, t: number): number => (prev(cron, next(cron, t)) === t ? t : next(cron, t));
export const prevOrSame = (cron: NaiveCron, t: number): number => (next(cron, prev(cron, t)) === t ? t : prev(cron, t));

export interface Question {
  readonly now: number;
  readonly last: readonly [number, number] | null;
  readonly earliest: number;
  readonly latest: number | null;
  readonly catchup: boolean;
}

/** The tick of the next run. */
export function triggerTick(cron: NaiveCron, { now, last, earliest, latest, catchup }: Question): number | null {
  const wanted = [nextOrSame(cron, earliest), ...(last === null ? [] : [next(cron, last[1])])];
  let tick = Math.max(...wanted, prevOrSame(cron, now));
  if (catchup) tick = last === null ? wanted[0]! : wanted[1]!;
  return latest !== null && tick > latest ? null : tick;
}

/** Of several: the earliest of all with catchup, else the last that is not after now, or the first that is. */
export function ofMany(crons: readonly NaiveCron[], question: Question): number | null {
  const ticks = crons.flatMap((cron) => triggerTick(cron, question) ?? []).sort((a, b) => a - b);
  const due = ticks.filter((tick) => tick <= question.now);
  return (question.catchup || due.length === 0 ? ticks[0] : due.at(-1)) ?? null;
}

/** The data interval of the next run. */
export function interval(
  cron: NaiveCron,
  { now, last, earliest, latest, catchup }: Question,
): readonly [number, number] | null {
  const aligned = nextOrSame(cron, earliest);
  // The last interval that is over: it ends at the last tick that is not after now.
  const over = prev(cron, prevOrSame(cron, now));
  const from = catchup ? aligned : Math.max(aligned, over);
  const start = last === null ? from : Math.max(from, prevOrSame(cron, last[1]));
  return latest !== null && start > latest ? null : [start, next(cron, start)];
}
