import { Operator, type TaskContext } from '@rondo/sdk';
import * as z from 'zod';

export interface BranchDateTimeArgs {
  /** Followed inside of the window. */
  readonly followTaskIdsIfTrue: string | readonly string[];
  readonly followTaskIdsIfFalse: string | readonly string[];
  /** ISO date and time, or a time of day `HH:MM[:SS]` on the clocks of the DAG's zone; included. At least one of the two is needed. */
  readonly targetLower?: string;
  /** A time of day before `targetLower`'s is that of the next day. */
  readonly targetUpper?: string;
  /** Compare the logical date instead of the present moment. Default false. */
  readonly useTaskLogicalDate?: boolean;
}

export const CLOCK = /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/;
const ids = z.union([z.string().min(1), z.array(z.string().min(1))]).describe('a task or group id, or a list of them');
const moment = z
  .string()
  .refine((text) => CLOCK.test(text) || isDate(text))
  .describe("ISO date and time such as '2024-01-01T06:00', or a time of day such as '06:00'");

/** Chooses by whether a moment lies in a window. */
export class BranchDateTimeOperator extends Operator<BranchDateTimeArgs, readonly string[]> {
  static override readonly schema = z
    .strictObject({
      followTaskIdsIfTrue: ids,
      followTaskIdsIfFalse: ids,
      targetLower: moment.optional(),
      targetUpper: moment.optional(),
      useTaskLogicalDate: z.boolean().describe('true or false').optional(),
    })
    .refine(({ targetLower, targetUpper }) => targetLower !== undefined || targetUpper !== undefined, {
      path: ['targetLower'],
      error: 'targetLower, targetUpper or both',
    });

  override namedIds(): readonly string[] {
    return [this.given['followTaskIdsIfTrue'], this.given['followTaskIdsIfFalse']].flat() as string[];
  }

  execute(ctx: TaskContext, args: BranchDateTimeArgs): readonly string[] {
    const at = args.useTaskLogicalDate === true ? ctx.logicalDate : new Date();
    if (at === null) throw new Error('useTaskLogicalDate is set, and the run has no logical date');
    const followed = [
      isInWindow(at, args, this.dag.timezone) ? args.followTaskIdsIfTrue : args.followTaskIdsIfFalse,
    ].flat();
    ctx.flow.follow(followed);
    return followed;
  }
}

export function isInWindow(
  at: Date,
  { targetLower, targetUpper }: Pick<BranchDateTimeArgs, 'targetLower' | 'targetUpper'>,
  timezone: string,
): boolean {
  const now = Temporal.Instant.fromEpochMilliseconds(at.getTime());
  const lower = targetLower === undefined ? undefined : resolveMoment(targetLower, now, timezone);
  let upper = targetUpper === undefined ? undefined : resolveMoment(targetUpper, now, timezone);
  const wraps = targetUpper !== undefined && CLOCK.test(targetUpper) && lower !== undefined && upper !== undefined;
  if (wraps && Temporal.ZonedDateTime.compare(upper!, lower) < 0) upper = upper!.add({ days: 1 });
  const compare = (moment: Temporal.ZonedDateTime): number => Temporal.Instant.compare(now, moment.toInstant());
  return (lower === undefined || compare(lower) >= 0) && (upper === undefined || compare(upper) <= 0);
}

/** A time of day is that of now's day; a text without an offset is on the clocks of the zone. Throws for what is neither. */
export function resolveMoment(text: string, now: Temporal.Instant, timezone: string): Temporal.ZonedDateTime {
  if (CLOCK.test(text)) return now.toZonedDateTimeISO(timezone).withPlainTime(text);
  if (/T.*(Z|[+-]\d{2}:?\d{2})$/i.test(text)) return Temporal.Instant.from(text).toZonedDateTimeISO(timezone);
  return Temporal.PlainDateTime.from(text).toZonedDateTime(timezone);
}

export function isDate(text: string): boolean {
  try {
    resolveMoment(text, Temporal.Instant.fromEpochMilliseconds(0), 'UTC');
    return true;
  } catch {
    return false;
  }
}
