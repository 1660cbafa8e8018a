import { CronExpressionParser } from 'cron-parser';
import fc from 'fast-check';
import { alignToNext, alignToPrev, cronTicks, nextWall, prevWall } from './cron.ts';
import { parseCron, type CronFields } from './cron-fields.ts';
import { fromWall, toWall } from './wall-time.ts';

function cron(expression: string): CronFields {
  const parsed = parseCron(expression);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace('.000Z', 'Z');

function sequence(expression: string, zone: string, from: string, count: number): (string | undefined)[] {
  const ticks = cronTicks(cron(expression), zone);
  const found: (string | undefined)[] = [];
  for (let at: number | undefined = Date.parse(from), i = 0; i < count && at !== undefined; i++) {
    at = ticks.next(at);
    found.push(iso(at));
  }
  return found;
}

describe('ticks of a cron expression', () => {
  it.each([
    ['0 0 * * *', '2024-02-28T10:00:00Z', '2024-02-29T00:00:00Z'],
    ['0 0 29 2 *', '2024-03-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['0 0 L * *', '2023-02-03T00:00:00Z', '2023-02-28T00:00:00Z'],
    ['0 0 * * 5#2', '2024-03-01T00:00:00Z', '2024-03-08T00:00:00Z'],
    ['0 0 * * 5L', '2024-03-01T00:00:00Z', '2024-03-29T00:00:00Z'],
    ['0 22-2 * * *', '2024-03-01T02:00:00Z', '2024-03-01T22:00:00Z'],
    ['0 0 * * fri-mon', '2024-03-04T00:00:00Z', '2024-03-08T00:00:00Z'],
    ['0 0 1 nov-feb *', '2024-02-02T00:00:00Z', '2024-11-01T00:00:00Z'],
    ['30 21 * * 5 15', '2024-03-01T00:00:00Z', '2024-03-01T21:30:15Z'],
    ['0 0 * 4 0', '2000-01-01T00:00:00Z', '2000-04-02T00:00:00Z'],
    ['0 0 1-31 2 1', '2023-01-01T00:00:00Z', '2023-02-06T00:00:00Z'],
    ['0 0 13 * 5', '2024-09-07T00:00:00Z', '2024-09-13T00:00:00Z'],
  ])('%s after %s is %s', (expression, after, next) => {
    expect(iso(cronTicks(cron(expression), 'UTC').next(Date.parse(after)))).toBe(next);
  });

  it('is found across a century without a leap year', () => {
    const leapDays = cronTicks(cron('0 0 29 2 *'), 'UTC');
    expect(iso(leapDays.prev(Date.parse('2104-02-28T00:00:00Z')))).toBe('2096-02-29T00:00:00Z');
  });

  it('moves a wall time that a zone leaves out forward by the gap', () => {
    expect(sequence('30 2 * * *', 'Europe/Zurich', '2023-03-25T00:00:00Z', 3)).toEqual([
      '2023-03-25T01:30:00Z',
      '2023-03-26T01:30:00Z',
      '2023-03-27T00:30:00Z',
    ]);
  });

  it('takes the second occurrence of a wall time that comes twice', () => {
    expect(sequence('30 2 * * *', 'Europe/Zurich', '2023-10-28T12:00:00Z', 2)).toEqual([
      '2023-10-29T01:30:00Z',
      '2023-10-30T01:30:00Z',
    ]);
  });

  it('runs through an hour that comes twice when every hour is named', () => {
    expect(sequence('0 * * * *', 'Europe/Zurich', '2023-10-28T23:30:00Z', 4)).toEqual([
      '2023-10-29T00:00:00Z',
      '2023-10-29T01:00:00Z',
      '2023-10-29T02:00:00Z',
      '2023-10-29T03:00:00Z',
    ]);
  });

  it('starts at midnight after days that do not fit, whatever the offset did meanwhile', () => {
    expect(sequence('0 * * * 1-5', 'Europe/Zurich', '2023-03-24T22:00:00Z', 1)).toEqual(['2023-03-26T22:00:00Z']);
    expect(sequence('0 * * * 1-5', 'Europe/Zurich', '2023-10-27T21:00:00Z', 1)).toEqual(['2023-10-29T23:00:00Z']);
  });

  it.each([
    ['0 0 1 13 0', '[0 0 1 13 0] is not acceptable, out of range'],
    ['60 * * * *', '[60 * * * *] is not acceptable, out of range'],
    ['* * * *', '5 fields'],
    ['* * * * * * *', 'got 7'],
    ['0 0 30 2 *', 'no month that it names has that day'],
    ['every day', 'got 2'],
    ['a b c d e', '[a b c d e] is not acceptable'],
    ['0 H * * *', 'hashed'],
    ['*/0 * * * *', 'cannot repeat at every 0'],
  ])('refuses %s', (expression, message) => {
    const parsed = parseCron(expression);
    expect(parsed.ok ? '' : parsed.error).toContain(message);
  });
});

const field = (min: number, max: number): fc.Arbitrary<string> => {
  const value = fc.integer({ min, max });
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    value.map(String),
    fc.uniqueArray(value, { minLength: 2, maxLength: 4 }).map((values) => values.join(',')),
    fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc.integer({ min: 2, max: 15 }).map((step) => `*/${step}`),
  );
};
const expressions = fc
  .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
  .map((fields) => fields.join(' '));
const instants = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2040, 0, 1) });
const zones = fc.constantFrom(
  'UTC',
  'Europe/Zurich',
  'America/Los_Angeles',
  'America/Santiago',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Africa/Casablanca',
  'Pacific/Apia',
);

describe('properties of ticks', () => {
  it('next and prev are inverse in wall time, and nothing lies between', () => {
    fc.assert(
      fc.property(expressions, instants, (expression, at) => {
        const fields = cron(expression);
        const next = nextWall(fields, at)!;
        expect(next).toBeGreaterThan(at);
        expect(prevWall(fields, next + 1)).toBe(next);
        const prev = prevWall(fields, next)!;
        expect(prev).toBeLessThanOrEqual(at);
        expect(nextWall(fields, prev)).toBe(next);
      }),
    );
  });

  it('agrees with cron-parser in UTC wherever only one of the day fields is given', () => {
    fc.assert(
      fc.property(expressions, instants, (expression, at) => {
        const fields = expression.split(' ');
        fields[fields[2] === '*' ? 2 : 4] = '*';
        const single = fields.join(' ');
        const theirs = CronExpressionParser.parse(single, { currentDate: at, tz: 'UTC' });
        expect(cronTicks(cron(single), 'UTC').next(at)).toBe(theirs.next().getTime());
      }),
      { numRuns: 50 },
    );
  });

  it('a sequence of ticks only grows, in every zone', () => {
    fc.assert(
      fc.property(expressions, instants, zones, (expression, from, zone) => {
        const ticks = cronTicks(cron(expression), zone);
        let at = from;
        for (let i = 0; i < 20; i++) {
          const next = ticks.next(at)!;
          expect(next).toBeGreaterThan(at);
          at = next;
        }
      }),
    );
  });

  it('aligning a tick leaves it, and aligning anything goes the way it says', () => {
    fc.assert(
      fc.property(expressions, instants, (expression, at) => {
        const ticks = cronTicks(cron(expression), 'UTC');
        const up = alignToNext(ticks, at)!;
        const down = alignToPrev(ticks, at)!;
        expect(up).toBeGreaterThanOrEqual(at);
        expect(down).toBeLessThanOrEqual(at);
        expect(alignToNext(ticks, up)).toBe(up);
        expect(alignToPrev(ticks, down)).toBe(down);
      }),
    );
  });

  it('wall time and back is the same instant unless the clock shows it twice', () => {
    fc.assert(
      fc.property(instants, zones, (at, zone) => {
        const back = fromWall(toWall(at, zone), zone);
        expect(back).toBeGreaterThanOrEqual(at);
        expect(toWall(back, zone)).toBe(toWall(at, zone));
      }),
    );
  });
});
