import { isDeepStrictEqual } from 'node:util';
import { Inexpressible, type Case, type GroupMapping } from './case.ts';
import { assetExpression } from './groups/asset-expression.ts';
import { backoff } from './groups/backoff.ts';
import { branchSkip } from './groups/branch-skip.ts';
import { clear } from './groups/clear.ts';
import { cronPresets } from './groups/cron-presets.ts';
import { dagrunState } from './groups/dagrun-state.ts';
import { dependsOnPast } from './groups/depends-on-past.ts';
import { mapping } from './groups/mapping.ts';
import { poolSelection } from './groups/pool-selection.ts';
import { template } from './groups/template.ts';
import { timetable } from './groups/timetable.ts';
import { triggerRule } from './groups/trigger-rule.ts';
import { weightRule } from './groups/weight-rule.ts';

const GROUPS: Readonly<Record<string, GroupMapping>> = {
  trigger_rule: triggerRule,
  backoff,
  dagrun_state: dagrunState,
  depends_on_past: dependsOnPast,
  branch_skip: branchSkip,
  cron_presets: cronPresets,
  timetable,
  template,
  clear,
  weight_rule: weightRule,
  pool_selection: poolSelection,
  asset_expression: assetExpression,
  mapping,
};

export type CaseResult =
  | { readonly id: string; readonly group: string; readonly passed: true }
  | {
      readonly id: string;
      readonly group: string;
      readonly passed: false;
      readonly expected: unknown;
      readonly got: unknown;
    };

export async function runCase(c: Case): Promise<CaseResult> {
  const { id, group } = c;
  const failed = (expected: unknown, got: unknown): CaseResult => ({ id, group, passed: false, expected, got });
  const groupMapping = Object.hasOwn(GROUPS, group) ? GROUPS[group] : undefined;
  if (groupMapping === undefined)
    return failed(c.expected, `not expressible: no function of the domain for the group '${group}' yet`);
  try {
    const { expected, got } = await groupMapping(c);
    return isDeepStrictEqual(plain(got), plain(expected)) ? { id, group, passed: true } : failed(expected, got);
  } catch (error) {
    if (error instanceof Inexpressible) return failed(c.expected, `not expressible: ${error.message}`);
    return failed(c.expected, `threw: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** The cases of a conformance file; throws where the file has another form. */
export function readCases(json: string): readonly Case[] {
  const file = JSON.parse(json) as unknown;
  const cases = typeof file === 'object' && file !== null && 'cases' in file ? file.cases : file;
  if (!Array.isArray(cases))
    throw new Error('a conformance file is { "cases": [{ "id", "group", "input", "expected" }, …] }');
  return cases.map((c: Case, index) => {
    if (typeof c?.id !== 'string' || typeof c.group !== 'string' || typeof c.input !== 'object' || c.input === null)
      throw new Error(`case ${index} has no id, group or input`);
    return { id: c.id, group: c.group, input: c.input, expected: c.expected };
  });
}
