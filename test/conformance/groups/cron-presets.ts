import { describeSchedule, parseCron, parseSchedule, validateTimetable, type TimetableSpec } from '@rondo/domain';
import { byPart, holding, Inexpressible, list, type Case, type Fields, type Finding } from '../case.ts';

const KINDS: Readonly<Record<TimetableSpec['kind'], string>> = {
  none: 'none',
  once: 'once',
  continuous: 'continuous',
  cron_trigger: 'cron',
  cron_interval: 'cron',
  multi_cron_trigger: 'cron',
  delta_trigger: 'delta',
  delta_interval: 'delta',
  asset: 'asset',
  asset_or_time: 'asset_or_time',
  cron_partition: 'cron_partition',
  custom: 'custom',
  events: 'events',
};
/** Other names for the same kinds. */
const SAME: Readonly<Record<string, string>> = { null: 'none', never: 'none', timedelta: 'delta' };

export function cronPresets({ input, expected }: Case): Finding {
  const parsed = schedules(input);
  const errors = parsed.map((one) => (one.ok ? '' : one.error));
  const spec = (): TimetableSpec => {
    const first = parsed[0]!;
    if (!first.ok) throw new Error(first.error);
    return first.value;
  };
  return byPart(expected, {
    error: (wanted) => (errors.every((error) => holding(error, wanted) === wanted) ? wanted : errors),
    kind: (wanted) => ((SAME[String(wanted)] ?? wanted) === KINDS[spec().kind] ? wanted : spec().kind),
    expression: () => expressionOf(spec()),
    description: () => describeSchedule(spec()),
    description_contains: (wanted) =>
      list(wanted, 'description_contains').map((part) => holding(describeSchedule(spec()), part)),
    dom_dow_combination: () => dayCombination(expressionOf(spec())),
  });
}

function schedules(input: Fields): ReturnType<typeof parseSchedule>[] {
  const zone = typeof input['timezone'] === 'string' ? input['timezone'] : 'UTC';
  const deltas = input['schedule_delta_s'];
  if (deltas !== undefined)
    return (Array.isArray(deltas) ? deltas : [deltas]).map((s) =>
      validateTimetable({ kind: 'delta_trigger', deltaMs: Number(s) * 1_000 }),
    );
  const texts = input['schedules'] ?? [input['schedule']];
  return list(texts, 'schedules').map((one) => parseSchedule(one, zone));
}

function expressionOf(spec: TimetableSpec): string {
  if (spec.kind === 'cron_trigger' || spec.kind === 'cron_interval') return spec.expression;
  throw new Inexpressible(`a timetable of kind ${spec.kind} has no expression`);
}

/** How the days of two years combine those that the day of month and the day of week allow. */
function dayCombination(expression: string): string {
  const [minute, hour, dayOfMonth, month, dayOfWeek] = expression.split(' ');
  const both = rule(expression);
  const byMonth = rule([minute, hour, dayOfMonth, month, '*'].join(' '));
  const byWeek = rule([minute, hour, '*', month, dayOfWeek].join(' '));
  const days = Array.from({ length: 730 }, (_, i) => new Date(Date.UTC(2021, 0, 1 + i)));
  const parts = days.map((date) => [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()] as const);
  if (parts.every((day) => both(...day) === (byMonth(...day) || byWeek(...day)))) return 'or';
  if (parts.every((day) => both(...day) === (byMonth(...day) && byWeek(...day)))) return 'and';
  return 'neither';
}

function rule(expression: string): (year: number, month: number, day: number) => boolean {
  const parsed = parseCron(expression);
  if (!parsed.ok) throw new Inexpressible(parsed.error);
  return parsed.value.matchesDay;
}
