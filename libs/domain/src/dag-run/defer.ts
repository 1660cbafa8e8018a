import type { AttemptOutcome, WaitFor } from '../task-instance/index.ts';
import type { AttemptKey, DagRunEvent } from './events.ts';
import type { InstanceState } from './state.ts';

type Defer = Omit<Extract<AttemptOutcome, { kind: 'defer' }>, 'wait'> & { readonly wait: WaitFor };

/** The attempt has ended and its try waits. The first deferral of a try decides when the try gives up. */
export function deferred(inst: InstanceState, key: AttemptKey, at: number, outcome: Defer): DagRunEvent {
  const { wait, resume, timeoutMs, onTimeout, onFailed, xcoms } = outcome;
  const deadline = inst.deferral?.deadline ?? (timeoutMs === undefined ? undefined : at + timeoutMs);
  return {
    type: 'TaskDeferred',
    data: {
      ...key,
      at,
      waitFor: wait,
      ...(resume === undefined ? {} : { resume }),
      ...(deadline === undefined ? {} : { deadline }),
      ...(onTimeout === undefined ? {} : { onTimeout }),
      ...(onFailed === 'skip' ? { onFailed } : {}),
      ...(xcoms === undefined ? {} : { xcoms }),
    },
  };
}
