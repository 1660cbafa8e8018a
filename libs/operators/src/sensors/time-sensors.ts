import { parseDuration, type Duration } from '@rondo/kernel';
import { templatable, WaitSensor, type TaskContext, type Wait } from '@rondo/sdk';
import * as z from 'zod';
import { CLOCK, isDate, resolveMoment } from '../branch/branch-date-time-operator.ts';

const until = (epochMs: number): Wait | undefined =>
  epochMs <= Date.now() ? undefined : { kind: 'time', until: Math.ceil(epochMs) };

export interface TimeSensorArgs {
  /** `HH:MM` or `HH:MM:SS` on the clocks of the DAG's zone, of the day on which the task begins. */
  readonly targetTime: string;
}

/** Waits for a time of day; one that is past is met. */
export class TimeSensor extends WaitSensor<TimeSensorArgs, void> {
  static override readonly schema = z.strictObject({
    targetTime: z.string().regex(CLOCK).describe("a time of day such as '06:30'"),
  });

  waitFor(_ctx: TaskContext, { targetTime }: TimeSensorArgs): Wait | undefined {
    return until(resolveMoment(targetTime, Temporal.Now.instant(), this.dag.timezone).epochMilliseconds);
  }
}

export interface DateTimeSensorArgs {
  /** ISO date and time; without an offset on the clocks of the DAG's zone. A template. */
  readonly targetTime: string;
}

/** Waits for a moment. */
export class DateTimeSensor extends WaitSensor<DateTimeSensorArgs, void> {
  static override readonly templateFields = ['targetTime'];
  static override readonly schema = z.strictObject({
    targetTime: templatable(z.string().refine(isDate).describe("ISO date and time such as '2024-01-01T06:00'")),
  });

  waitFor(_ctx: TaskContext, { targetTime }: DateTimeSensorArgs): Wait | undefined {
    const text = targetTime.trim().replace(/^(\d{4}-\d{2}-\d{2}) (?=\d)/, '$1T');
    if (CLOCK.test(text) || !isDate(text))
      throw new Error(`targetTime is '${targetTime}'; allowed: ISO date and time such as '2024-01-01T06:00'`);
    return until(resolveMoment(text, Temporal.Now.instant(), this.dag.timezone).epochMilliseconds);
  }
}

export interface TimeDeltaSensorArgs {
  /** After the end of the run's data interval; without one, after the moment from which the run may begin. */
  readonly delta: Duration;
}

/** Waits for a length of time after the run's data interval. */
export class TimeDeltaSensor extends WaitSensor<TimeDeltaSensorArgs, void> {
  static override readonly schema = z.strictObject({
    delta: z.custom<Duration>((value) => parseDuration(value).ok).describe("a duration such as '2h'"),
  });

  waitFor({ dataInterval, run }: TaskContext, { delta }: TimeDeltaSensorArgs): Wait | undefined {
    const length = parseDuration(delta);
    if (!length.ok) throw new Error(`delta: ${length.error}`);
    return until((dataInterval?.end ?? run.runAfter).getTime() + length.value);
  }
}

const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
export type WeekDay = (typeof DAYS)[number];

export interface DayOfWeekSensorArgs {
  /** One day or several, in English. */
  readonly weekDay: WeekDay | readonly WeekDay[];
  /** Look at the logical date instead of today: it is met at once, or never. Default false. */
  readonly useTaskLogicalDate?: boolean;
}

const day = z.enum(DAYS);

/** Waits for a day of the week, on the clocks of the DAG's zone. */
export class DayOfWeekSensor extends WaitSensor<DayOfWeekSensorArgs, void> {
  static override readonly schema = z.strictObject({
    weekDay: z.union([day, z.array(day).min(1)]).describe(`one of ${DAYS.join(', ')}, or a list of them`),
    useTaskLogicalDate: z.boolean().describe('true or false').optional(),
  });

  waitFor(ctx: TaskContext, { weekDay, useTaskLogicalDate = false }: DayOfWeekSensorArgs): Wait | undefined {
    const wanted = [weekDay].flat().map((name) => DAYS.indexOf(name) + 1);
    const at = useTaskLogicalDate ? ctx.logicalDate : new Date();
    if (at === null) throw new Error('useTaskLogicalDate is set, and the run has no logical date');
    const here = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(this.dag.timezone);
    const days = Math.min(...wanted.map((each) => (each - here.dayOfWeek + 7) % 7));
    if (days === 0) return undefined;
    // A logical date never becomes another day: only the timeout ends this.
    if (useTaskLogicalDate) return until(Date.now() + 2 * this.sensing.timeoutMs + 1_000);
    return until(here.startOfDay().add({ days }).epochMilliseconds);
  }
}
