import { assertNever, formatDuration } from '@rondo/kernel';
import cronstrue from 'cronstrue';
import { describeAssets } from '../asset/describe.ts';
import type { Delta } from './delta.ts';
import { isoInstant } from './instant.ts';
import type { TimetableSpec } from './types.ts';

const OPTIONS = { use24HourTimeFormat: true, verbose: false, throwExceptionOnParseError: false } as const;

/** A sentence about the schedule in English; empty for a fixed delta and for a cron expression of six fields. */
export function describeSchedule(spec: TimetableSpec): string {
  switch (spec.kind) {
    case 'none':
      return 'Never, external triggers only';
    case 'once':
      return 'Once, as soon as possible';
    case 'continuous':
      return 'As frequently as possible, but only one run at a time.';
    case 'cron_trigger':
    case 'cron_interval':
      return describeCron(spec.expression);
    case 'multi_cron_trigger':
      return spec.expressions.map(describeCron).join(', ');
    case 'delta_trigger':
    case 'delta_interval':
      return '';
    case 'custom':
      return spec.description ?? '';
    case 'events':
      return spec.description ?? describeEvents(spec.eventDates);
    case 'cron_partition':
      return `${describeCron(spec.expression)}, a partition each`;
    case 'asset':
      return `When assets are updated: ${describeAssets(spec.assets)}`;
    case 'asset_or_time':
      return `${describeSchedule(spec.timetable)}, or when assets are updated: ${describeAssets(spec.assets)}`;
    default:
      return assertNever(spec, 'timetable');
  }
}

/** The schedule in a word, for tables: the expression, `every 6h`, `@once`, `3 events`. */
export function summarizeSchedule(spec: TimetableSpec): string {
  switch (spec.kind) {
    case 'none':
      return 'none';
    case 'once':
      return '@once';
    case 'continuous':
      return '@continuous';
    case 'cron_trigger':
    case 'cron_interval':
      return spec.expression;
    case 'multi_cron_trigger':
      return spec.expressions.join(', ');
    case 'delta_trigger':
    case 'delta_interval':
      return `every ${deltaText(spec)}`;
    case 'custom':
      return spec.name;
    case 'events':
      return spec.description ?? `${spec.eventDates.length} events`;
    case 'cron_partition':
      return `${spec.expression} (partitions)`;
    case 'asset':
      return describeAssets(spec.assets);
    case 'asset_or_time':
      return `${summarizeSchedule(spec.timetable)} or ${describeAssets(spec.assets)}`;
    default:
      return assertNever(spec, 'timetable');
  }
}

function deltaText({ deltaMs, months = 0 }: Delta): string {
  const parts = [
    ...(months >= 12 ? [`${Math.floor(months / 12)}y`] : []),
    ...(months % 12 > 0 ? [`${months % 12} months`.replace(/^1 months$/, '1 month')] : []),
    ...(deltaMs > 0 ? [formatDuration(deltaMs)] : []),
  ];
  return parts.join(' ');
}

function describeEvents(dates: readonly number[]): string {
  if (dates.length === 0) return 'No events';
  return `${dates.length} events between ${isoInstant(dates[0]!)} and ${isoInstant(dates[dates.length - 1]!)}`;
}

/** Day of month and day of week both given mean either of them, which a single sentence would tell as both. */
function describeCron(expression: string): string {
  const fields = expression.split(/\s+/);
  if (fields.length !== 5) return '';
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields;
  if (dayOfMonth === '*' || dayOfWeek === '*') return cronstrue.toString(expression, OPTIONS);
  const byMonth = cronstrue.toString([minute, hour, dayOfMonth, month, '*'].join(' '), OPTIONS);
  const byWeek = cronstrue.toString([minute, hour, '*', month, dayOfWeek].join(' '), OPTIONS);
  return `${byMonth} (or) ${byWeek}`;
}
