import type { AttemptOutcome, TriggerRequest } from '@rondo/domain';

/**
 * What a simulated attempt comes to. `fail`: an error that may be retried; `failNow`: one that may not; `crash`: the child was
 * gone, so that no callback ran; `lost`: the lease ran out. Anything else in full.
 */
export type Outcome =
  | 'success'
  | 'fail'
  | 'failNow'
  | 'crash'
  | 'skip'
  | 'lost'
  | { readonly branch: readonly string[] }
  | { readonly shortCircuit: boolean }
  | { readonly trigger: Partial<TriggerRequest> }
  | AttemptOutcome;

const ERROR = { kind: 'exception', type: 'Error', message: 'boom' } as const;

/** The outcome as a worker would report it; `lost` is no outcome but a report of its own. */
export function outcomeOf(outcome: Exclude<Outcome, 'lost'>): AttemptOutcome {
  if (typeof outcome === 'string') return NAMED[outcome];
  if ('kind' in outcome) return outcome;
  if ('branch' in outcome) return { kind: 'success', skip: { kind: 'branch', follow: outcome.branch } };
  if ('shortCircuit' in outcome)
    return { kind: 'success', skip: { kind: 'shortCircuit', ignoreDownstreamTriggerRules: outcome.shortCircuit } };
  const request = { dagId: 'other', wait: true, allowedStates: ['success'] as const, skipWhenAlreadyExists: false };
  return { kind: 'trigger', request: { ...request, ...outcome.trigger } };
}

const NAMED: Readonly<Record<Exclude<Outcome & string, 'lost'>, AttemptOutcome>> = {
  success: { kind: 'success' },
  fail: { kind: 'failed', error: ERROR, retryable: true, callbacksRan: true },
  failNow: { kind: 'failed', error: ERROR, retryable: false, callbacksRan: true },
  crash: {
    kind: 'failed',
    error: { kind: 'exit', message: 'exit code 137', exitCode: 137 },
    retryable: true,
    callbacksRan: false,
  },
  skip: { kind: 'skipped', reason: 'nothing to do' },
};
