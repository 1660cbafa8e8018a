import type { CronFields } from './cron-fields.ts';
import { fromWall, toWall } from './wall-time.ts';

const DAY_MS = 86_400_000;
/** A day that fits is looked for this far: 29 February can be eight years away, a weekday on it forty. */
const HORIZON_DAYS = 366 * 50;

/** The first tick after a wall time, in wall time; undefined if there is none within 50 years. */
export function nextWall(cron: CronFields, wall: number): number | undefined {
  const from = (Math.floor(wall / 1_000) + 1) * 1_000;
  let day = Math.floor(from / DAY_MS);
  let second = (from - day * DAY_MS) / 1_000;
  const limit = day + HORIZON_DAYS;
  while (day <= limit) {
    const date = new Date(day * DAY_MS);
    const [year, month, dayOfMonth] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
    if (cron.months[month] !== true) {
      day = Date.UTC(year, month, 1) / DAY_MS;
      second = 0;
      continue;
    }
    const time = cron.matchesDay(year, month, dayOfMonth) ? timeAtOrAfter(cron, second) : undefined;
    if (time !== undefined) return day * DAY_MS + time * 1_000;
    day += 1;
    second = 0;
  }
  return undefined;
}

/** The last tick before a wall time, in wall time; undefined if there is none within 50 years. */
export function prevWall(cron: CronFields, wall: number): number | undefined {
  const from = (Math.ceil(wall / 1_000) - 1) * 1_000;
  let day = Math.floor(from / DAY_MS);
  let second = (from - day * DAY_MS) / 1_000;
  const limit = day - HORIZON_DAYS;
  while (day >= limit) {
    const date = new Date(day * DAY_MS);
    const [year, month, dayOfMonth] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
    if (cron.months[month] !== true) {
      day = Date.UTC(year, month - 1, 1) / DAY_MS - 1;
      second = 86_399;
      continue;
    }
    const time = cron.matchesDay(year, month, dayOfMonth) ? timeAtOrBefore(cron, second) : undefined;
    if (time !== undefined) return day * DAY_MS + time * 1_000;
    day -= 1;
    second = 86_399;
  }
  return undefined;
}

function timeAtOrAfter({ hours, minutes, seconds }: CronFields, second: number): number | undefined {
  const hour = Math.floor(second / 3_600);
  const minute = Math.floor(second / 60) % 60;
  for (const h of hours) {
    if (h < hour) continue;
    if (h > hour) return h * 3_600 + minutes[0]! * 60 + seconds[0]!;
    for (const m of minutes) {
      if (m < minute) continue;
      if (m > minute) return h * 3_600 + m * 60 + seconds[0]!;
      for (const s of seconds) if (s >= second % 60) return h * 3_600 + m * 60 + s;
    }
  }
  return undefined;
}

function timeAtOrBefore({ hours, minutes, seconds }: CronFields, second: number): number | undefined {
  const hour = Math.floor(second / 3_600);
  const minute = Math.floor(second / 60) % 60;
  const [lastMinute, lastSecond] = [minutes[minutes.length - 1]!, seconds[seconds.length - 1]!];
  for (let i = hours.length - 1; i >= 0; i--) {
    const h = hours[i]!;
    if (h > hour) continue;
    if (h < hour) return h * 3_600 + lastMinute * 60 + lastSecond;
    for (let j = minutes.length - 1; j >= 0; j--) {
      const m = minutes[j]!;
      if (m > minute) continue;
      if (m < minute) return h * 3_600 + m * 60 + lastSecond;
      for (let k = seconds.length - 1; k >= 0; k--)
        if (seconds[k]! <= second % 60) return h * 3_600 + m * 60 + seconds[k]!;
    }
  }
  return undefined;
}

/**
 * An expression that names every hour runs through an hour that the clock shows twice, so its ticks are reached by adding
 * the difference in wall time to the instant. Over a jump of more than a day (days or months that do not fit) a change of
 * the offset in between would move the tick, so there the wall time decides as for all other expressions.
 */
function localise(cron: CronFields, instant: number, wall: number, tick: number, zone: string): number {
  const difference = tick - wall;
  if (cron.everyHour && Math.abs(difference) < DAY_MS) return instant + difference;
  return fromWall(tick, zone);
}

export interface Ticks {
  /** The first tick after an instant; undefined if there is none within 50 years. */
  readonly next: (instant: number) => number | undefined;
  readonly prev: (instant: number) => number | undefined;
}

/** Ticks of an expression in a zone. A tick is found in wall time and then given its instant. */
export function cronTicks(cron: CronFields, zone: string): Ticks {
  const step =
    (search: typeof nextWall) =>
    (instant: number): number | undefined => {
      const wall = toWall(instant, zone);
      const tick = search(cron, wall);
      return tick === undefined ? undefined : localise(cron, instant, wall, tick, zone);
    };
  return { next: step(nextWall), prev: step(prevWall) };
}

/** The instant itself if it is a tick, else the next tick. */
export function alignToNext(ticks: Ticks, instant: number): number | undefined {
  const next = ticks.next(instant);
  if (next === undefined) return ticks.prev(instant + 1) === instant ? instant : undefined;
  return ticks.prev(next) === instant ? instant : next;
}

/** The instant itself if it is a tick, else the previous tick. */
export function alignToPrev(ticks: Ticks, instant: number): number | undefined {
  const prev = ticks.prev(instant);
  if (prev === undefined) return ticks.next(instant - 1) === instant ? instant : undefined;
  return ticks.next(prev) === instant ? instant : prev;
}
