import {
  manualInterval,
  mapPartitionKey,
  nextRun,
  PARTITION_MAPPERS,
  validateTimetable,
  type Interval,
  type NextRun,
  type NextRunQuery,
  type RunImmediately,
  type TimetableSpec,
} from '@rondo/domain';
import { byPart, fields, Inexpressible, list, number, text, type Case, type Fields, type Finding } from '../case.ts';
import { instant, interval, optionalInstant, zulu } from '../values.ts';

/** Where a case does not say what time it is, that must not matter. */
const SOME_TIME = Date.UTC(2024, 0, 1);

export function timetable({ input, expected }: Case): Finding {
  switch (input['op']) {
    case 'next':
      return next(input, expected);
    case 'sequence':
      return sequence(input, expected);
    case 'manual':
      return manual(input, expected);
    case 'map_partition_key':
      return partitionKeys(input, expected);
    default:
      throw new Inexpressible(`there is no operation '${String(input['op'])}'`);
  }
}

export function readTimetable(value: unknown): TimetableSpec {
  const from = fields(value, 'timetable');
  const checked = validateTimetable(toSpec(from));
  if (!checked.ok) throw new Inexpressible(checked.error);
  return checked.value;
}

function toSpec(from: Fields): TimetableSpec {
  const timezone = typeof from['timezone'] === 'string' ? from['timezone'] : 'UTC';
  const intervalMs = number(from['interval_s'], 0) * 1_000;
  const expression = (): string => text(from['expression'] ?? from['cron'], 'expression');
  switch (from['kind']) {
    case 'none':
    case 'null':
      return { kind: 'none' };
    case 'once':
    case 'continuous':
      return { kind: from['kind'] };
    case 'cron_interval':
      return { kind: 'cron_interval', expression: expression(), timezone };
    case 'cron_trigger':
      return { kind: 'cron_trigger', expression: expression(), timezone, intervalMs, ...runImmediately(from) };
    case 'multi_cron_trigger': {
      const expressions = list(from['expressions'] ?? from['crons'], 'expressions').map(String);
      return { kind: 'multi_cron_trigger', expressions, timezone, intervalMs, ...runImmediately(from) };
    }
    case 'delta_trigger':
      return { kind: 'delta_trigger', deltaMs: number(from['delta_s'], 0) * 1_000, intervalMs };
    case 'delta_interval':
      return { kind: 'delta_interval', deltaMs: number(from['delta_s'], 0) * 1_000 };
    case 'events':
      return toEvents(from);
    default:
      throw new Inexpressible(`there is no timetable of kind '${String(from['kind'])}'`);
  }
}

function runImmediately(from: Fields): { readonly runImmediately?: RunImmediately } {
  const given = from['run_immediately'] ?? from['run_immediately_s'];
  if (typeof given === 'boolean') return { runImmediately: given };
  return typeof given === 'number' ? { runImmediately: given * 1_000 } : {};
}

function toEvents(from: Fields): TimetableSpec {
  const dates = list(from['event_dates'], 'event_dates').map((date) => instant(date, 'event date'));
  return {
    kind: 'events',
    eventDates: [...new Set(dates)].sort((a, b) => a - b),
    restrictToEvents: from['restrict_to_events'] === true,
  };
}

function readQuery(input: Fields): NextRunQuery {
  const restriction = fields(input['restriction'] ?? {}, 'restriction');
  const earliest = optionalInstant(restriction['earliest'], 'earliest');
  const last =
    input['last_interval'] === null || input['last_interval'] === undefined
      ? null
      : interval(input['last_interval'], 'last_interval');
  return {
    now: optionalInstant(input['now'], 'now') ?? last?.[1] ?? earliest ?? SOME_TIME,
    last,
    restriction: {
      earliest,
      latest: optionalInstant(restriction['latest'], 'latest'),
      catchup: restriction['catchup'] !== false,
    },
  };
}

function pair(given: Interval): [string, string] {
  return [zulu(given[0]), zulu(given[1])];
}

/** Instants compare by what they say, not by how they are written. */
function sameInstants(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sameInstants);
  return typeof value === 'string' ? zulu(instant(value, 'expected instant')) : value;
}

function parts(run: NextRun): Record<string, (wanted: unknown) => unknown> {
  return {
    data_interval: () => pair(run.dataInterval),
    run_after: () => zulu(run.runAfter),
    logical_date: () => zulu(run.logicalDate),
  };
}

function normalised(expected: unknown): Fields {
  return Object.fromEntries(
    Object.entries(fields(expected, 'expected')).map(([name, value]) => [name, sameInstants(value)]),
  );
}

function next(input: Fields, expected: unknown): Finding {
  const run = nextRun(readTimetable(input['timetable']), readQuery(input));
  if (expected === null) return { expected, got: run === null ? null : { data_interval: pair(run.dataInterval) } };
  if (run === null) return { expected, got: null };
  return byPart(normalised(expected), parts(run));
}

function sequence(input: Fields, expected: unknown): Finding {
  const spec = readTimetable(input['timetable']);
  const query = readQuery(input);
  const runs = (wanted: unknown, take: (run: NextRun) => unknown): unknown => {
    const found: unknown[] = [];
    let last = query.last;
    for (const _ of list(wanted, 'the sequence')) {
      const run = nextRun(spec, { ...query, last });
      found.push(run === null ? null : take(run));
      if (run === null) break;
      last = run.dataInterval;
    }
    return found;
  };
  return byPart(normalised(expected), {
    intervals: (wanted) => runs(wanted, (run) => pair(run.dataInterval)),
    run_afters: (wanted) => runs(wanted, (run) => zulu(run.runAfter)),
    run_after: (wanted) => runs(wanted, (run) => zulu(run.runAfter)),
  });
}

function manual(input: Fields, expected: unknown): Finding {
  const found = manualInterval(readTimetable(input['timetable']), instant(input['run_after'], 'run_after'));
  return byPart(normalised(expected), { data_interval: () => pair(found) });
}

function partitionKeys(input: Fields, expected: unknown): Finding {
  const key = text(input['key'], 'key');
  const mapping = {
    ...(typeof input['timezone'] === 'string' ? { timezone: input['timezone'] } : {}),
    ...(typeof input['input_format'] === 'string' ? { inputFormat: input['input_format'] } : {}),
    ...(typeof input['output_format'] === 'string' ? { outputFormat: input['output_format'] } : {}),
  };
  const mapped = list(input['mappers'] ?? [input['mapper']], 'mappers').map((name) => {
    const mapper = PARTITION_MAPPERS.find((known) => known === name);
    if (mapper === undefined) throw new Inexpressible(`there is no partition mapper '${String(name)}'`);
    const found = mapPartitionKey(mapper, key, mapping);
    return found.ok ? found.value : `refused: ${found.error}`;
  });
  return byPart(expected, { keys: () => mapped, key: () => mapped[0] });
}
