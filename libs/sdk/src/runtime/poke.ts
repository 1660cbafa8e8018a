import { PokeReturn } from '../authoring/poke-return.ts';
import { show } from '../authoring/error.ts';
import type { Sensing } from '../authoring/sensor-attributes.ts';
import { Deferral, FailNow, Skip } from './signals.ts';
import type { TaskContext } from './task-context.ts';

/** A sensor as far as a poke needs it. */
interface Looking {
  readonly sensing: Sensing;
  look(ctx: TaskContext, args: Readonly<Record<string, unknown>>): unknown;
}

/**
 * One poke: what was found, or undefined for nothing yet. Throws what ends the sensor: what its body threw, or the Skip that
 * its attributes make of it.
 */
export async function poke(
  sensor: Looking,
  ctx: TaskContext,
  args: Readonly<Record<string, unknown>>,
): Promise<{ readonly value: unknown } | undefined> {
  let found: unknown;
  try {
    found = await sensor.look(ctx, args);
  } catch (thrown) {
    if (Skip.is(thrown) || Deferral.is(thrown)) throw thrown;
    return instead(sensor.sensing, ctx, thrown);
  }
  if (typeof found === 'boolean') return found ? { value: undefined } : undefined;
  if (PokeReturn.is(found)) return found.done ? { value: found.value } : undefined;
  throw new TypeError(`the poke answered ${show(found)}; allowed: true, false or new PokeReturn(value)`);
}

/** What a poke that failed comes to. */
function instead({ softFail, silentFail, neverFail }: Sensing, ctx: TaskContext, thrown: unknown): undefined {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (FailNow.is(thrown) || isTimeLimit(ctx)) {
    if (softFail || neverFail)
      throw new Skip(`${softFail ? 'softFail' : 'neverFail'} is set, and the poke failed: ${message}`);
    throw thrown;
  }
  if (silentFail) {
    ctx.log.error('the poke failed: %s', thrown instanceof Error ? (thrown.stack ?? message) : message);
    return undefined;
  }
  if (neverFail) throw new Skip(`neverFail is set, and the poke failed: ${message}`);
  throw thrown;
}

/** The poke, or the attempt, ran longer than it may. */
function isTimeLimit({ signal }: TaskContext): boolean {
  return signal.aborted && (signal.reason as { readonly name?: unknown } | undefined)?.name === 'TimeoutError';
}
