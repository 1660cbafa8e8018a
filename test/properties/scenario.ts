import fc from 'fast-check';
import type { AttemptOutcome, AttemptRef, DagDefinition, TriggerRule } from '@rondo/domain';
import { dagDefinition, HARNESS_START, type Outcome, type TaskSpec } from '@rondo/testing';
import type { NaiveTask } from './naive-model.ts';
import { NAIVE_RULES } from './naive-rules.ts';

const OUTCOMES = [
  ...Array<'success'>(8).fill('success'),
  ...([
    'fail',
    'fail',
    'failNow',
    'crash',
    'skip',
    'lost',
    'lost',
    'branch',
    'branchNone',
    'gate',
    'gateDirect',
    'trigger',
    'wait',
    'resume',
    'later',
    'ask',
    'reschedule',
  ] as const),
];
type OutcomeName = (typeof OUTCOMES)[number];

interface TaskRow {
  /** How far before the task each upstream stands. */
  readonly edges: readonly number[];
  readonly rule: string;
  readonly kind: 'work' | 'setup' | 'teardown' | 'empty';
  readonly retries: number;
  readonly lostBudget: number;
  readonly mustNotFail: boolean;
  readonly weight: number;
  /** What its attempts come to, one after another, from the start again after the last. */
  readonly outcomes: readonly OutcomeName[];
  readonly pick: number;
}

const rows = fc.record<TaskRow>({
  edges: fc.array(fc.nat(12), { maxLength: 4 }),
  // Half of all tasks have the default, as in real DAGs.
  rule: fc.oneof(fc.constant('all_success'), fc.constantFrom(...NAIVE_RULES)),
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constant('work' as const) },
    { weight: 2, arbitrary: fc.constantFrom('setup' as const, 'teardown' as const, 'empty' as const) },
  ),
  retries: fc.constantFrom(0, 0, 1, 2),
  lostBudget: fc.constantFrom(0, 1, 3),
  mustNotFail: fc.boolean(),
  weight: fc.integer({ min: -1, max: 3 }),
  outcomes: fc.array(fc.constantFrom(...OUTCOMES), { minLength: 1, maxLength: 3 }),
  pick: fc.nat(),
});

export interface Scenario {
  readonly definition: DagDefinition;
  readonly tasks: readonly NaiveTask[];
  readonly window: number;
  readonly outcomeOf: (attempt: AttemptRef) => Outcome;
}

/** Random DAGs in every shape, with what their attempts come to. */
export function scenarios(maxTasks: number): fc.Arbitrary<Scenario> {
  return fc
    .record({
      rows: fc.array(rows, { minLength: 1, maxLength: maxTasks, size: 'max' }),
      maxActiveTasks: fc.constantFrom(1, 3, 16, 1_000),
      window: fc.constantFrom(1, 2, 500),
      failFast: fc.integer({ min: 0, max: 9 }).map((n) => n === 9),
      timeout: fc.option(fc.integer({ min: 1, max: 600_000 }), { freq: 8, nil: undefined }),
    })
    .map(({ rows: list, window, timeout, ...limits }) => {
      const specs = list.map((row, index) => taskOf(list, row, index, limits.failFast));
      const limit = timeout === undefined ? {} : { dagrunTimeoutMs: timeout };
      const definition = dagDefinition({ tasks: specs, ...limits, ...limit });
      const outcomeOf = (attempt: AttemptRef): Outcome => outcomeFor(list, specs, attempt);
      const shown = { ...limits, ...limit, window, tasks: specs.map((spec, index) => show(spec, list[index]!)) };
      const toString = (): string => JSON.stringify(shown, null, 1);
      return { definition, tasks: specs.map(naiveOf), window, outcomeOf, [fc.toStringMethod]: toString };
    });
}

/** One line for a task of a counterexample. */
function show(spec: TaskSpec, { outcomes, kind, pick }: TaskRow): string {
  const { id, upstream, triggerRule, retries, retryDelayMs, maxLostAttempts } = spec;
  return `${id} < ${upstream!.join(' ')}: ${kind} ${triggerRule} retries ${retries} (${retryDelayMs} ms) lost ${maxLostAttempts} ${outcomes.join(' ')} pick ${pick}`;
}

const indexOf = (taskId: string): number => Number(taskId.slice(1));

function taskOf(list: readonly TaskRow[], row: TaskRow, index: number, failFast: boolean): TaskSpec {
  const edges = index === 0 ? [] : [...new Set(row.edges.map((far) => index - 1 - (far % index)))];
  // A teardown without a setup says little: it takes the nearest one.
  const setup = list.slice(0, index).findLastIndex((each) => each.kind === 'setup');
  if (row.kind === 'teardown' && setup >= 0 && !edges.includes(setup)) edges.push(setup);
  const isAfterSetup = edges.some((up) => list[up]!.kind === 'setup');
  const isTeardown = row.kind === 'teardown';
  const rule = isTeardown ? 'all_done_setup_success' : isAfterSetup || failFast ? 'all_success' : row.rule;
  return {
    id: `t${index}`,
    upstream: edges.map((up) => `t${up}`),
    triggerRule: rule as TriggerRule,
    runs: row.kind === 'empty' ? 'empty' : 'child',
    retries: row.retries,
    retryDelayMs: 1_000 * (row.pick % 50),
    maxLostAttempts: row.lostBudget,
    priorityWeight: row.weight,
    callbacks: row.pick % 3 === 0 ? ['onFailure', 'onRetry'] : [],
    ...(row.kind === 'setup' ? { setup: true } : {}),
    ...(isTeardown ? { teardown: true, onFailureFailDagrun: row.mustNotFail } : {}),
  };
}

function naiveOf(spec: TaskSpec): NaiveTask {
  return {
    id: spec.id,
    upstream: spec.upstream ?? [],
    rule: spec.triggerRule!,
    setup: spec.setup === true,
    teardown: spec.teardown === true,
    mustNotFail: spec.onFailureFailDagrun === true,
    inline: spec.runs === 'empty',
    retries: spec.retries!,
    lostBudget: spec.maxLostAttempts!,
  };
}

function outcomeFor(
  list: readonly TaskRow[],
  specs: readonly TaskSpec[],
  { taskId, tryNumber, leg }: AttemptRef,
): Outcome {
  const index = indexOf(taskId);
  const row = list[index]!;
  const name = row.outcomes[(tryNumber + leg - 2) % row.outcomes.length]!;
  // A task may wait for ever; these do not.
  if (leg > MOST_LEGS && WAITS.has(name)) return 'success';
  switch (name) {
    case 'wait':
    case 'resume':
    case 'later':
    case 'ask':
      return { ...waitOf(name, row.pick), ...limitOf(row.pick + tryNumber) };
    case 'reschedule':
      return { kind: 'reschedule', until: HARNESS_START + 1_000 * (row.pick % 90) };
    case 'branch': {
      const later = specs.slice(index + 1).filter((_, n) => (n + row.pick + tryNumber) % 3 === 0);
      return { branch: later.slice(0, 3).map((spec) => spec.id) };
    }
    case 'branchNone':
      return { branch: [] };
    case 'gate':
      return { shortCircuit: true };
    case 'gateDirect':
      return { shortCircuit: false };
    case 'trigger':
      return { trigger: { wait: row.pick % 2 === 0, skipWhenAlreadyExists: row.pick % 5 === 0 } };
    default:
      return name;
  }
}

const MOST_LEGS = 4;
const WAITS: ReadonlySet<OutcomeName> = new Set(['wait', 'resume', 'later', 'ask', 'reschedule']);
type Defer = Extract<AttemptOutcome, { kind: 'defer' }>;

function waitOf(name: 'wait' | 'resume' | 'later' | 'ask', pick: number): Defer {
  switch (name) {
    case 'later':
      return { kind: 'defer', wait: { kind: 'time', until: HARNESS_START + 1_000 * (pick % 90) } };
    case 'ask': {
      const defaults = pick % 2 === 0 ? {} : { defaults: ['no'] };
      return {
        kind: 'defer',
        wait: { kind: 'approval', subject: 'well?', options: ['yes', 'no'], multiple: false, ...defaults },
      };
    }
    default: {
      const wait = { kind: 'event', eventType: 'e', lookBackFrom: 0 } as const;
      return { kind: 'defer', wait, ...(name === 'resume' ? { resume: 'next' } : {}) };
    }
  }
}

/** Half of all waits are given up some time, in each of the ways. */
function limitOf(pick: number): Pick<Defer, 'timeoutMs' | 'onTimeout' | 'onFailed'> {
  return {
    ...(pick % 2 === 0 ? {} : { timeoutMs: 1_000 * (pick % 70) }),
    onTimeout: (['fail', 'retry', 'skip'] as const)[pick % 3]!,
    onFailed: pick % 5 === 0 ? 'skip' : 'fail',
  };
}
