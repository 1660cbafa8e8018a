import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

interface Mutation {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The start of the id of a case that must fail. */
  readonly fails: string;
}

const MUTATIONS: readonly Mutation[] = [
  {
    file: 'trigger-rule/evaluate.ts',
    from: "if (c.failed + c.upstreamFailed > 0) return 'upstream_failed';",
    to: '',
    fails: 'trigger_rule/failure goes before skip',
  },
  {
    file: 'trigger-rule/evaluate.ts',
    from: 'if (setups.state !== null) return setups;',
    to: '',
    fails: 'trigger_rule/setups further up',
  },
  { file: 'retry/retry.ts', from: '(key.tryNumber - 1)', to: 'key.tryNumber', fails: 'backoff/second try' },
  { file: 'retry/retry.ts', from: 'tryNumber <= maxTries', to: 'tryNumber < maxTries', fails: 'backoff/three tries' },
  {
    file: 'graph/setups.ts',
    from: 'graph.downstream[index]!.every(mayFail)',
    to: 'graph.downstream[index]!.length === 0',
    fails: 'dagrun_state/a teardown',
  },
  {
    file: 'dag-run/advance.ts',
    from: 'run.failedLeaves > run.blocks.stoodLeaves',
    to: 'false',
    fails: 'dagrun_state/a leaf that failed',
  },
  {
    file: 'dag-run/evolve.ts',
    from: 'inst.tryNumber + retriesOf(inst)',
    to: 'retriesOf(inst)',
    fails: 'clear/fresh tries',
  },
  {
    file: 'graph/skips.ts',
    from: 'graph.nodes[target]!.teardown !== true',
    to: 'target >= 0',
    fails: 'branch_skip/a short',
  },
  { file: 'graph/skips.ts', from: '!kept.has(target)', to: 'true', fails: 'branch_skip/the join' },
  { file: 'graph/clear.ts', from: 'else if (isWork(index)) addScope(index);', to: '', fails: 'clear/work takes' },
  {
    file: 'graph/weights.ts',
    from: "DEFAULT_WEIGHT_RULE: WeightRule = 'downstream'",
    to: "DEFAULT_WEIGHT_RULE: WeightRule = 'upstream'",
    fails: 'weight_rule/downstream',
  },
  {
    file: 'past/line.ts',
    from: '!catchup || run.runType',
    to: 'run.runType',
    fails: 'depends_on_past/a run by hand',
  },
  {
    file: 'past/rule.ts',
    from: "met('the first run of a backfill', false, false)",
    to: "met('the first run of a backfill')",
    fails: 'depends_on_past/the first of a backfill',
  },
  {
    file: 'schedule/wall-time.ts',
    from: "disambiguation: 'later'",
    to: "disambiguation: 'earlier'",
    fails: 'timetable/a wall time',
  },
  { file: 'schedule/cron.ts', from: 'cron.everyHour && ', to: 'false && ', fails: 'timetable/every hour' },
  {
    file: 'schedule/next-run.ts',
    from: 'earliest === null ? beat.firstRun(now) : beat.alignToNext(earliest)',
    to: 'earliest === null ? beat.firstRun(now) : beat.next(earliest)',
    fails: 'timetable/the start date',
  },
  { file: 'schedule/next-run.ts', from: 'tick > latest', to: 'tick >= latest', fails: 'timetable/the end date' },
  {
    file: 'schedule/cron-fields.ts',
    from: 'fitsMonth(year, month, day) || fitsWeek(year, month, day)',
    to: 'fitsMonth(year, month, day) && fitsWeek(year, month, day)',
    fails: 'cron_presets/either day',
  },
  {
    file: 'pool/admission.ts',
    from: 'lane.slots <= lane.account.open',
    to: '0 < lane.account.open',
    fails: 'pool_selection/a smaller one',
  },
  { file: 'schedule/parse.ts', from: "'0 0 1 */3 *'", to: "'0 0 1 */4 *'", fails: 'cron_presets/quarterly' },
  {
    file: 'asset/condition.ts',
    from: 'left.kind === kind ? [...left.of, right]',
    to: 'right.kind === kind ? [left, ...right.of]',
    fails: 'asset_expression/the right operand',
  },
  {
    file: 'asset/condition.ts',
    from: 'expression.of.every',
    to: 'expression.of.some',
    fails: 'asset_expression/all of',
  },
  {
    file: 'asset/condition.ts',
    from: 'expression.of.some',
    to: 'expression.of.every',
    fails: 'asset_expression/any of',
  },
  { file: 'asset/asset.ts', from: "path[end - 1] === '/'", to: 'end < 0', fails: 'asset_expression/a URI has' },
  {
    file: 'asset/asset.ts',
    from: 'const hadPassword = at >= 0 &&',
    to: 'const hadPassword = false &&',
    fails: 'asset_expression/a password',
  },
  { file: 'dag-run/lengths.ts', from: 'product *= each', to: 'product += each', fails: 'mapping/lengths multiply' },
  {
    file: 'dag-run/lengths.ts',
    from: "if (place.state === 'failed' || place.state === 'upstream_failed') return 'upstream_failed';",
    to: '',
    fails: 'mapping/a source that failed',
  },
  {
    file: 'dag-run/lengths.ts',
    from: "place.state === 'success' ? (place.lengths?.[JSON.stringify(part)] ?? 0) : undefined",
    to: 'place.lengths?.[JSON.stringify(part)] ?? 0',
    fails: 'mapping/a source that failed',
  },
  {
    file: 'dag-run/mapping.ts',
    from: "removed.filter((inst) => inst.state !== 'removed')",
    to: 'removed.filter(() => false)',
    fails: 'mapping/a shorter list removes',
  },
];

describe('a change to the domain that is wrong makes a case fail', () => {
  let folder: string;

  /** A copy of what the conformance command needs: it resolves packages as a checkout does. */
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rondo-mutations-'));
    for (const part of ['libs/domain', 'libs/kernel', 'test/conformance'])
      cpSync(join(root, part), join(folder, part), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    mkdirSync(join(folder, 'node_modules/@rondo'), { recursive: true });
    for (const name of ['domain', 'kernel'])
      symlinkSync(join(folder, 'libs', name), join(folder, 'node_modules/@rondo', name), 'dir');
    for (const name of ['cron-parser', 'cronstrue'])
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'dir');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const failures = (): string[] => {
    const child = spawnSync(process.execPath, ['test/conformance/main.ts', 'test/conformance/cases.json'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(child.stderr).toBe('');
    expect(child.stdout).toMatch(/\d+ passed, \d+ failed, 0 skipped\n$/);
    return [...child.stdout.matchAll(/^FAILED (.+)$/gm)].map((match) => match[1]!);
  };

  it('and none fails without a change', () => {
    expect(failures()).toEqual([]);
  });

  it.each(MUTATIONS.map((mutation) => [mutation.file, mutation.from, mutation] as const))(
    '%s: %s',
    (file, from, { to, fails }) => {
      const path = join(folder, 'libs/domain/src', file);
      const source = readFileSync(path, 'utf8');
      expect(source.split(from)).toHaveLength(2);
      writeFileSync(
        path,
        source.replace(from, () => to),
      );
      try {
        expect(failures()).toContainEqual(expect.stringMatching(`^${fails}`));
      } finally {
        writeFileSync(path, source);
      }
    },
  );
});
