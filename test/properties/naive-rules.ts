/** The trigger rules, each written down as it reads; it imports nothing of the domain. */
export type NaiveVerdict = 'run' | 'wait' | 'skipped' | 'upstream_failed';

/** What is said of a task's upstream states; `null` stands for one that is not final. */
export type States = readonly (string | null)[];

const has = (states: States, ...wanted: string[]): boolean => states.some((s) => s !== null && wanted.includes(s));
const all = (states: States, ...wanted: string[]): boolean => states.every((s) => s !== null && wanted.includes(s));
const isDone = (states: States): boolean => states.every((s) => s !== null);

/** One line for each rule: when it writes a state, and when it lets the task run. */
export const RULES: Readonly<Record<string, (states: States, setups: States) => NaiveVerdict>> = {
  all_success: (s) =>
    has(s, 'failed', 'upstream_failed')
      ? 'upstream_failed'
      : has(s, 'skipped')
        ? 'skipped'
        : all(s, 'success')
          ? 'run'
          : 'wait',
  all_failed: (s) => (has(s, 'success', 'skipped') ? 'skipped' : all(s, 'failed', 'upstream_failed') ? 'run' : 'wait'),
  all_done: (s) => (isDone(s) ? 'run' : 'wait'),
  all_skipped: (s) => (has(s, 'success', 'failed', 'upstream_failed') ? 'skipped' : all(s, 'skipped') ? 'run' : 'wait'),
  one_success: (s) =>
    has(s, 'success') ? 'run' : !isDone(s) ? 'wait' : all(s, 'skipped') ? 'skipped' : 'upstream_failed',
  one_failed: (s) => (has(s, 'failed', 'upstream_failed') ? 'run' : isDone(s) ? 'skipped' : 'wait'),
  one_done: (s) => (has(s, 'success', 'failed') ? 'run' : isDone(s) ? 'skipped' : 'wait'),
  none_failed: (s) => (has(s, 'failed', 'upstream_failed') ? 'upstream_failed' : isDone(s) ? 'run' : 'wait'),
  none_failed_min_one_success: (s) =>
    has(s, 'failed', 'upstream_failed')
      ? 'upstream_failed'
      : all(s, 'skipped')
        ? 'skipped'
        : isDone(s)
          ? 'run'
          : 'wait',
  none_skipped: (s) => (has(s, 'skipped') ? 'skipped' : isDone(s) ? 'run' : 'wait'),
  all_done_min_one_success: (s) =>
    has(s, 'skipped') ? 'skipped' : !isDone(s) ? 'wait' : has(s, 'success') ? 'run' : 'upstream_failed',
  all_done_setup_success: (s, setups) => {
    if (!isDone(s)) return 'wait';
    if (setups.length === 0 || has(setups, 'success')) return 'run';
    return all(setups, 'skipped') ? 'skipped' : 'upstream_failed';
  },
  always: () => 'run',
};

export const NAIVE_RULES: readonly string[] = Object.keys(RULES);
