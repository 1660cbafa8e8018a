/** The parser against nine logs of real systems, where they lie beside the checkout. Their authors labelled every line. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readRecords, errorsOf } from '../../dags/monitor_errors/records.ts';

const folder = join(import.meta.dirname, '../../../shared/data/loghub');
const present = existsSync(join(folder, 'expected.json'));

interface Expected {
  readonly lines: number;
  readonly levels: Readonly<Record<string, number>> | null;
}

const expected = present
  ? (JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Readonly<Record<string, Expected>>)
  : {};
const errorLevels = new Set(['ERROR', 'FATAL', 'error']);
const sumOfErrors = (levels: Expected['levels']): number =>
  Object.entries(levels ?? {}).reduce((sum, [level, count]) => sum + (errorLevels.has(level) ? count : 0), 0);

const suite = present ? describe : describe.skip;
if (!present) console.warn(`the nine real logs are not at ${folder}: these tests are skipped`);

suite(`nine real logs${present ? '' : ` (absent: ${folder})`}`, () => {
  const cases = present ? Object.entries(expected) : [['none', { lines: 0, levels: null }] as const];

  it.each(cases)('%s: every line and its level', (name, truth) => {
    const records = [...readRecords(readFileSync(join(folder, `${name}.log`), 'utf8'), 2026)];
    const levels: Record<string, number> = {};
    for (const { level } of records) if (level !== null) levels[level] = (levels[level] ?? 0) + 1;
    const labelled = Object.fromEntries(
      Object.entries(truth.levels ?? {}).map(([level, count]) => [level.toUpperCase(), count]),
    );
    expect(records).toHaveLength(truth.lines);
    expect(levels).toEqual(labelled);
  });

  it.each(cases)('%s: its errors', (name, truth) => {
    const { errors } = errorsOf(name, readFileSync(join(folder, `${name}.log`), 'utf8'), 2026);
    expect(errors).toHaveLength(sumOfErrors(truth.levels));
  });
});
