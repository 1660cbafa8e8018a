import { describeSchedule, summarizeSchedule } from './describe.ts';
import { isoInstant } from './instant.ts';
import { parseInstant, parseSchedule, type ScheduleInput } from './parse.ts';
import { mapPartitionKey } from './partition.ts';
import { runIdFor, validateRunId } from './run-id.ts';

const parsed = (input: ScheduleInput, dataIntervals = false): unknown => {
  const result = parseSchedule(input, 'Europe/Zurich', { dataIntervals });
  return result.ok ? result.value : `refused: ${result.error}`;
};
const timezone = 'Europe/Zurich';

describe('what an author writes as the schedule', () => {
  it.each<[ScheduleInput, unknown]>([
    [null, { kind: 'none' }],
    [undefined, { kind: 'none' }],
    ['@once', { kind: 'once' }],
    ['@continuous', { kind: 'continuous' }],
    ['@quarterly', { kind: 'cron_trigger', expression: '0 0 1 */3 *', timezone }],
    [' 5 4 * * * ', { kind: 'cron_trigger', expression: '5 4 * * *', timezone }],
    ['90s', { kind: 'delta_trigger', deltaMs: 90_000 }],
    [{ hours: 6 }, { kind: 'delta_trigger', deltaMs: 21_600_000 }],
    [['0 * * * *', '@daily'], { kind: 'multi_cron_trigger', expressions: ['0 * * * *', '0 0 * * *'], timezone }],
    [
      { cron: '@daily', timezone: 'UTC', interval: '1d', runImmediately: '10m' },
      {
        kind: 'cron_trigger',
        expression: '0 0 * * *',
        timezone: 'UTC',
        intervalMs: 86_400_000,
        runImmediately: 600_000,
      },
    ],
    [
      { events: ['2024-05-02', new Date(0), '2024-05-02T00:00:00Z'] },
      { kind: 'events', eventDates: [0, Date.UTC(2024, 4, 2)] },
    ],
    [
      { kind: 'delta_interval', deltaMs: 1 },
      { kind: 'delta_interval', deltaMs: 1 },
    ],
  ])('%j', (input, spec) => {
    expect(parsed(input)).toEqual(spec);
    expect(JSON.parse(JSON.stringify(parsed(input)))).toEqual(spec);
  });

  it('makes data intervals when asked to', () => {
    expect(parsed('@daily', true)).toEqual({ kind: 'cron_interval', expression: '0 0 * * *', timezone });
    expect(parsed('5m', true)).toEqual({ kind: 'delta_interval', deltaMs: 300_000 });
  });

  it.each<[unknown, string]>([
    ['0 0 1 13 0', '[0 0 1 13 0] is not acceptable, out of range'],
    ['@fortnightly', "'@fortnightly' is not a preset"],
    ['0s', 'schedule interval must be positive'],
    ['-5m', 'schedule interval must be positive'],
    [{ minutes: -5 }, 'schedule interval must be positive'],
    [{ fortnights: 1 }, 'is not a duration'],
    [42, '42 is not a schedule'],
    [[], 'cron expression required'],
    [['@daily', 7], '7 is not a cron expression'],
    [{ cron: '@daily', timezone: 'Mars/Olympus' }, '"Mars/Olympus" is not a time zone'],
    [{ cron: '@daily', runImmediately: 5 }, 'runImmediately is true, false or a duration'],
    [{ events: ['yesterday'] }, 'event "yesterday" is not an instant'],
    [{ kind: 'lunar' }, 'is not a timetable'],
  ])('%j is refused', (input, message) => {
    expect(parsed(input as ScheduleInput)).toContain(message);
  });

  it('refuses a time zone that does not exist', () => {
    const result = parseSchedule('@daily', 'Europe/Nowhere');
    expect(result.ok ? '' : result.error).toContain('"Europe/Nowhere" is not a time zone');
  });
});

describe('a schedule in words', () => {
  it.each<[ScheduleInput, string, string]>([
    ['@daily', 'At 00:00', '0 0 * * *'],
    ['* * 1 * 1', 'Every minute, on day 1 of the month (or) Every minute, only on Monday', '* * 1 * 1'],
    ['30 21 * * 5 1', '', '30 21 * * 5 1'],
    [null, 'Never, external triggers only', 'none'],
    ['6h', '', 'every 6h'],
    [
      { events: ['2024-05-02'] },
      '1 events between 2024-05-02T00:00:00+00:00 and 2024-05-02T00:00:00+00:00',
      '1 events',
    ],
  ])('%j', (input, description, summary) => {
    const result = parseSchedule(input, 'UTC');
    if (!result.ok) throw new Error(result.error);
    expect(describeSchedule(result.value)).toBe(description);
    expect(summarizeSchedule(result.value)).toBe(summary);
  });
});

describe('run ids', () => {
  it('name the type and the instant', () => {
    expect(runIdFor('scheduled', Date.UTC(2016, 0, 1))).toBe('scheduled__2016-01-01T00:00:00+00:00');
    expect(runIdFor('manual', Date.UTC(2016, 0, 1, 1, 2, 3, 45), 'x7')).toBe(
      'manual__2016-01-01T01:02:03.045000+00:00_x7',
    );
    expect(isoInstant(0, ' ')).toBe('1970-01-01 00:00:00+00:00');
  });

  it('of users are letters, digits and a few signs', () => {
    expect(validateRunId('nightly_2024-05-05.a~b:c+d').ok).toBe(true);
    for (const bad of ['', 'a b', 'a/b', 'é', '../x', 'x'.repeat(251)]) expect(validateRunId(bad).ok).toBe(false);
  });
});

describe('instants in text', () => {
  it.each([
    ['2021-09-06', Date.UTC(2021, 8, 6)],
    ['2021-09-06T01:02:03', Date.UTC(2021, 8, 6, 1, 2, 3)],
    ['2021-09-06 01:02+02:00', Date.UTC(2021, 8, 5, 23, 2)],
    ['2021-13-06', undefined],
    ['soon', undefined],
  ])('%s', (text, ms) => {
    expect(parseInstant(text)).toBe(ms);
  });
});

describe('partition keys', () => {
  const key = (...args: Parameters<typeof mapPartitionKey>): string => {
    const result = mapPartitionKey(...args);
    return result.ok ? result.value : `refused: ${result.error}`;
  };

  it('name the period that holds them', () => {
    expect(key('identity', 'anything')).toBe('anything');
    expect(key('weekly', '2021-01-03T10:00:00')).toBe('2020-12-28 (W53)');
    expect(key('weekly', '2024-12-30T00:00:00')).toBe('2024-12-30 (W01)');
    expect(key('quarterly', '2026-12-31T23:59:59')).toBe('2026-Q4');
    expect(
      key('daily', '2026-02-10 23:30+0000', {
        inputFormat: '%Y-%m-%d %H:%M%z',
        timezone: 'Europe/Zurich',
        outputFormat: '%d.%m.%Y',
      }),
    ).toBe('11.02.2026');
  });

  it('say what is wrong', () => {
    expect(key('daily', '2026-02')).toContain("does not match the format '%Y-%m-%dT%H:%M:%S'");
    expect(key('daily', '2026-02-30T00:00:00')).toContain('is not a date');
    expect(key('daily', '2026-02-01T00:00:00', { outputFormat: '%Q' })).toContain("has '%Q'");
  });
});
