import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Case } from './case.ts';
import { readCases, runCase } from './run.ts';

const root = resolve(import.meta.dirname, '../..');
const own = join(import.meta.dirname, 'cases.json');
const shared = resolve(root, '../shared/conformance/airflow_cases.json');
const GROUPS = [
  'trigger_rule',
  'backoff',
  'dagrun_state',
  'depends_on_past',
  'branch_skip',
  'cron_presets',
  'timetable',
  'template',
  'clear',
  'pool_selection',
  'asset_expression',
  'mapping',
];

const casesOf = (file: string): readonly Case[] => readCases(readFileSync(file, 'utf8'));

describe('conformance', () => {
  it.each(casesOf(own).map((c) => [c.id, c] as const))('%s', async (_, c) => {
    expect(await runCase(c)).toEqual({ id: c.id, group: c.group, passed: true });
  });
});

if (existsSync(shared)) {
  describe('conformance with the reference cases', () => {
    const cases = casesOf(shared).filter((c) => GROUPS.includes(c.group));

    it('has cases of every group', () => {
      expect([...new Set(cases.map((c) => c.group))].sort()).toEqual(GROUPS.toSorted());
    });

    it.each(cases.map((c) => [c.id, c] as const))('%s', async (_, c) => {
      expect(await runCase(c)).toEqual({ id: c.id, group: c.group, passed: true });
    });
  });
} else {
  describe('conformance with the reference cases', () => {
    it(`is not run: there is no ${shared}`, () => {
      process.stderr.write(`the reference cases are not run: there is no ${shared}\n`);
      expect(existsSync(shared)).toBe(false);
    });
  });
}

describe('the conformance command', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rondo-conformance-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (cases: unknown, ...groups: string[]): { readonly status: number | null; readonly lines: string[] } => {
    const file = join(folder, 'cases.json');
    writeFileSync(file, JSON.stringify({ meta: {}, cases }));
    const child = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), file, ...groups], {
      encoding: 'utf8',
    });
    return { status: child.status, lines: child.stdout.trimEnd().split('\n') };
  };
  const once = { id: 'once', group: 'cron_presets', input: { schedule: '@once' }, expected: { kind: 'once' } };

  it('prints each failure with what was expected and what came, then the counts', () => {
    const { status, lines } = run([once, { ...once, id: 'wrong', expected: { kind: 'cron' } }]);
    expect(lines).toEqual([
      'FAILED wrong',
      '  expected {"kind":"cron"}',
      '  got      {"kind":"once"}',
      '1 passed, 1 failed, 0 skipped',
    ]);
    expect(status).toBe(1);
  });

  it('counts what it cannot express as failed, and says so', () => {
    const { lines } = run([
      { ...once, id: 'group', group: 'astrology' },
      { ...once, id: 'part', expected: { kind: 'once', moon: 'full' } },
      { ...once, id: 'input', group: 'timetable', input: { op: 'next', timetable: { kind: 'lunar' } } },
    ]);
    expect(lines.filter((line) => line.includes('not expressible'))).toHaveLength(3);
    expect(lines[lines.length - 1]).toBe('0 passed, 3 failed, 0 skipped');
  });

  it('skips only the groups that were not asked for', () => {
    const { status, lines } = run([once, { ...once, group: 'clear' }], 'cron_presets');
    expect(lines).toEqual(['1 passed, 0 failed, 1 skipped']);
    expect(status).toBe(0);
  });

  it('says which file is missing', () => {
    const child = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), join(folder, 'no.json')], {
      encoding: 'utf8',
    });
    expect(child.stderr).toBe(`no such file: ${join(folder, 'no.json')}\n`);
    expect(child.status).toBe(2);
  });
});
