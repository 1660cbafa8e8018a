import type { RetryRule, TaskError } from '@rondo/domain';
import { dagDefinition, HARNESS_START, RunHarness } from '@rondo/testing';
import fc from 'fast-check';
import { effort, seed } from './effort.ts';

/** What a task of the naive model is at after each failure: when it goes on, with what memory; or that it has failed. */
type Step = { readonly delayMs: number; readonly memory: number } | 'failed';

interface Rule {
  readonly error?: string;
  readonly text?: string;
  readonly code?: number;
  readonly action: 'retry' | 'fail' | 'default';
  readonly delays?: readonly number[];
  readonly limit?: number;
  readonly memory?: number | readonly number[];
}

interface Failure {
  readonly type: string;
  readonly message: string;
  readonly code?: number;
}

const RETRY_DELAY = 60_000;

/** The rules read as they are written down, one failure after the other. */
function naive(rules: readonly Rule[], failures: readonly Failure[], retries: number): Step[] {
  const steps: Step[] = [];
  const used = rules.map(() => 0);
  let memory = 1;
  for (const [at, { type, message, code }] of failures.entries()) {
    const rule = rules.findIndex(
      (each) =>
        (each.error === undefined || each.error === type) &&
        (each.text === undefined || message.includes(each.text)) &&
        (each.code === undefined || each.code === code),
    );
    const { action = 'default', limit, delays, memory: change } = rules[rule] ?? {};
    const isOver = action === 'retry' && limit !== undefined && used[rule]! >= limit;
    if (at >= retries || action === 'fail' || isOver) return [...steps, 'failed'];
    let delayMs = RETRY_DELAY;
    if (action === 'retry' || delays !== undefined)
      delayMs = delays === undefined ? delayMs : delays[Math.min(used[rule]!, delays.length - 1)]!;
    if (action === 'retry') {
      if (typeof change === 'number') memory = Math.round(memory * change * 1_000) / 1_000;
      else if (change !== undefined) memory = change[Math.min(used[rule]!, change.length - 1)]!;
      used[rule]!++;
    }
    steps.push({ delayMs, memory });
  }
  return steps;
}

const rule = fc.record(
  {
    error: fc.constantFrom('A', 'B', 'C'),
    text: fc.constantFrom('quota', 'lock'),
    code: fc.constantFrom(1, 2),
    action: fc.constantFrom('retry' as const, 'fail' as const, 'default' as const),
    delays: fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 3 }),
    limit: fc.integer({ min: 1, max: 3 }),
    memory: fc.oneof(
      fc.constantFrom(2, 1.5, 4),
      fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 3 }),
    ),
  },
  { requiredKeys: ['action'] },
);
const failure = fc.record(
  {
    type: fc.constantFrom('A', 'B', 'C', 'D'),
    message: fc.constantFrom('over quota', 'the lock', 'boom'),
    code: fc.constantFrom(1, 2, 3),
  },
  { requiredKeys: ['type', 'message'] },
);

function ruleOf({ error, text, code, action, delays, limit, memory }: Rule): RetryRule {
  return {
    action,
    ...(error === undefined ? {} : { error: [error] }),
    ...(text === undefined ? {} : { message: [text] }),
    ...(code === undefined ? {} : { exitCode: [code] }),
    ...(delays === undefined ? {} : { delaysMs: delays }),
    ...(limit === undefined ? {} : { limit }),
    ...(memory === undefined
      ? {}
      : { with: { resources: { memory: typeof memory === 'number' ? `x${memory}` : memory } } }),
  };
}

describe(`retry policies (RONDO_SEED=${seed})`, () => {
  it('decide as their rules read, also when the run comes back from its history', () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 4 }),
        fc.array(failure, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 6 }),
        fc.boolean(),
        (rules, failures, retries, comesBack) => {
          const definition = dagDefinition({
            tasks: [
              {
                id: 'a',
                retries,
                retryDelayMs: RETRY_DELAY,
                resources: { memory: 1 },
                retryPolicy: rules.map((each) => ruleOf(each as Rule)),
              },
            ],
          });
          let run = RunHarness.started(definition);
          const steps: Step[] = [];
          for (const { type, message, code } of failures as readonly Failure[]) {
            if (steps.at(-1) === 'failed') break;
            if (comesBack) run = new RunHarness(definition, { history: run.history, now: run.now });
            const error: TaskError = {
              kind: 'exception',
              type,
              message,
              ...(code === undefined ? {} : { exitCode: code }),
            };
            run.finish('a', { kind: 'failed', retryable: true, error });
            const inst = run.instance('a');
            if (inst.state === 'failed') {
              steps.push('failed');
              continue;
            }
            const { retryAt } = run.dataOf('TaskRetryScheduled') as { retryAt: number };
            const memory = (inst.overrides?.resources?.['memory'] ?? 1) as number;
            steps.push({ delayMs: retryAt - run.now, memory });
            run.later(retryAt - run.now);
          }
          expect(steps).toEqual(naive(rules as readonly Rule[], failures as readonly Failure[], retries));
          expect(run.now).toBeGreaterThanOrEqual(HARNESS_START);
        },
      ),
      { numRuns: 500 * effort, seed, interruptAfterTimeLimit: 20_000 },
    );
  });
});
