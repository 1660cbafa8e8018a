import { parseDuration, type Duration, type Json } from '@rondo/kernel';
import { AssetCondition, compileFilter, templatable, WaitSensor, type TaskContext, type Wait } from '@rondo/sdk';
import * as z from 'zod';

const lookBack = z
  .custom<Duration>((value) => parseDuration(value).ok)
  .describe("a duration such as '1h'")
  .optional();

/** What came before the moment from which the run may begin counts only if the sensor looks back so far. */
function from({ run }: TaskContext, length: Duration | undefined): number {
  const parsed = length === undefined ? undefined : parseDuration(length);
  return run.runAfter.getTime() - (parsed?.ok === true ? parsed.value : 0);
}

export interface EventSensorArgs {
  /** The CloudEvents type. A template. */
  readonly type: string;
  /** Templates. */
  readonly source?: string;
  readonly subject?: string;
  /** What else an event must be: see `EventFilter`. Templates. */
  readonly filter?: Json;
  /** An event that came so long before the run was due still counts. Default: none. */
  readonly lookBack?: Duration;
  /** How many events are wanted. Default 1. */
  readonly count?: number;
}

const filter = z
  .unknown()
  .superRefine((value, ctx) => {
    const compiled = compileFilter(value as Json);
    if (!compiled.ok) ctx.addIssue({ code: 'custom', message: compiled.error, params: { whole: true } });
  })
  .optional();
const text = (what: string) => templatable(z.string().min(1).describe(what));

/** Waits for events from outside. It is woken by them; those that came since the run was due count. Returns what came. */
export class EventSensor extends WaitSensor<EventSensorArgs, Json> {
  static override readonly templateFields = ['type', 'source', 'subject', 'filter'];
  static override readonly schema = z.strictObject({
    type: text('the type of an event'),
    source: text('the source of an event').optional(),
    subject: text('the subject of an event').optional(),
    filter,
    lookBack,
    count: z.int().min(1).describe('a whole number of at least 1').optional(),
  });

  waitFor(ctx: TaskContext, args: EventSensorArgs): Wait {
    const { type, source, subject, filter: wanted, count } = args;
    const compiled = compileFilter(wanted);
    if (!compiled.ok) throw new TypeError(compiled.error);
    return {
      kind: 'event',
      eventType: type,
      lookBackFrom: from(ctx, args.lookBack),
      ...(source === undefined ? {} : { source }),
      ...(subject === undefined ? {} : { subject }),
      ...(wanted === undefined ? {} : { filter: wanted }),
      ...(count === undefined ? {} : { count }),
    };
  }
}

export interface AssetSensorArgs {
  /** An asset, or its name. */
  readonly asset: AssetCondition | string;
  /** An update that came so long before the run was due still counts. Default: none. */
  readonly lookBack?: Duration;
}

/** Waits for an update of an asset; one that came since the run was due counts. */
export class AssetSensor extends WaitSensor<AssetSensorArgs, Json> {
  static override readonly templateFields = ['asset'];
  static override readonly schema = z.strictObject({
    asset: z
      .union([
        templatable(z.string().min(1)),
        z.custom<AssetCondition>((value) => AssetCondition.is(value) && /^(asset|uri)$/.test(value.expression.kind)),
      ])
      .describe('an Asset, Asset.ref(…), or the name of an asset'),
    lookBack,
  });

  waitFor(ctx: TaskContext, { asset, lookBack: length }: AssetSensorArgs): Wait {
    return { kind: 'asset', ...leafOf(asset), lookBackFrom: from(ctx, length) };
  }
}

function leafOf(asset: AssetSensorArgs['asset']): { readonly name: string } | { readonly uri: string } {
  if (typeof asset === 'string') return { name: asset };
  const { expression } = asset;
  if (expression.kind === 'asset') return { name: expression.name };
  if (expression.kind === 'uri') return { uri: expression.uri };
  throw new TypeError('asset is a condition of several assets; allowed: one asset');
}
