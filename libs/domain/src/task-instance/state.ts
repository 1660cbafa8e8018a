/** The 13 states of a task instance; `null` in the API is "no status", here `none`. */
export const TASK_STATES = [
  'none',
  'scheduled',
  'queued',
  'running',
  'success',
  'failed',
  'skipped',
  'upstream_failed',
  'removed',
  'up_for_retry',
  'up_for_reschedule',
  'deferred',
  'restarting',
] as const;
export type TaskState = (typeof TASK_STATES)[number];

export const RUN_STATES = ['queued', 'running', 'success', 'failed'] as const;
export type RunState = (typeof RUN_STATES)[number];

export type TerminalTaskState = 'success' | 'failed' | 'skipped' | 'upstream_failed' | 'removed';

export function isTerminal(state: TaskState): state is TerminalTaskState {
  return (
    state === 'success' ||
    state === 'failed' ||
    state === 'skipped' ||
    state === 'upstream_failed' ||
    state === 'removed'
  );
}

/** States in which an attempt is open: published to a gateway, or with a worker. */
export function hasOpenAttempt(state: TaskState): boolean {
  return state === 'scheduled' || state === 'queued' || state === 'running' || state === 'restarting';
}

export const TRIGGER_RULES = [
  'all_success',
  'all_failed',
  'all_done',
  'all_skipped',
  'one_success',
  'one_failed',
  'one_done',
  'none_failed',
  'none_failed_min_one_success',
  'none_skipped',
  'all_done_min_one_success',
  'all_done_setup_success',
  'always',
] as const;
export type TriggerRule = (typeof TRIGGER_RULES)[number];

export const WEIGHT_RULES = ['downstream', 'upstream', 'absolute'] as const;
export type WeightRule = (typeof WEIGHT_RULES)[number];
