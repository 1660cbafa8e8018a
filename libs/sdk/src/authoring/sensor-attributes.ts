import { SENSOR_DEFAULTS, type PokePolicy } from '@rondo/domain';
import type { Duration } from '@rondo/kernel';
import * as z from 'zod';
import { duration, flag, oneOf } from './attributes.ts';

/** What every sensor has beside the attributes of a task. */
export interface SensorAttributes {
  /** Between a poke that found nothing and the next. Default 60 seconds. */
  readonly pokeInterval?: Duration;
  /** How long to wait in all, from the first poke of a try on. A sensor that times out fails without another try. Default 7 days. */
  readonly timeout?: Duration;
  /**
   * Neither holds a worker's slot. `poke` (default): `executionTimeout` limits the whole wait. `reschedule`: it limits each
   * poke, and a growing interval is told from the time that has passed.
   */
  readonly mode?: 'poke' | 'reschedule';
  /** A timeout, and a poke that fails for good or takes too long, skip the task instead. Default false. */
  readonly softFail?: boolean;
  /** A poke that throws is logged and counts as one that found nothing. Default false. */
  readonly silentFail?: boolean;
  /** A poke that throws, whatever it is, skips the task. Default false; not together with softFail. */
  readonly neverFail?: boolean;
  /** The interval doubles with every poke, spread by the instance. Default false. */
  readonly exponentialBackoff?: boolean;
  /** A growing interval never grows above this. Default: no limit. */
  readonly maxWait?: Duration;
}

const sensorShape = {
  pokeInterval: duration().refine((ms) => ms > 0, 'a duration of at least a millisecond'),
  timeout: duration(),
  mode: oneOf(['poke', 'reschedule']),
  softFail: flag(),
  silentFail: flag(),
  neverFail: flag(),
  exponentialBackoff: flag(),
  maxWait: duration(),
} satisfies Record<keyof SensorAttributes, z.ZodType>;

export const sensorSchema = z.object(sensorShape).partial();
export const SENSOR_KEYS: ReadonlySet<string> = new Set(Object.keys(sensorShape));

/** How a sensor waits: its attributes with all defaults, in milliseconds. */
export interface Sensing extends PokePolicy {
  readonly mode: 'poke' | 'reschedule';
  readonly softFail: boolean;
  readonly silentFail: boolean;
  readonly neverFail: boolean;
}

export function sensingOf(given: z.output<typeof sensorSchema>): Sensing {
  const { maxWait } = given;
  return {
    pokeIntervalMs: given.pokeInterval ?? SENSOR_DEFAULTS.pokeIntervalMs,
    timeoutMs: given.timeout ?? SENSOR_DEFAULTS.timeoutMs,
    mode: given.mode ?? 'poke',
    softFail: given.softFail ?? false,
    silentFail: given.silentFail ?? false,
    neverFail: given.neverFail ?? false,
    exponentialBackoff: given.exponentialBackoff ?? false,
    ...(maxWait === undefined ? {} : { maxWaitMs: maxWait }),
  };
}
