import { TO_CHILD } from '../child/frames.ts';
import type { WorkerReport } from '@rondo/ports';
import type { Child } from './child.ts';
import type { PoolLimits } from './limits.ts';
import { timeoutReason } from './outcomes.ts';
import type { Ending } from './running.ts';

/** Begins to end what a child runs; answers when the next step is due. */
export function beginEnding(
  child: Child,
  kind: Ending['kind'],
  reason: string,
  { abortMs }: PoolLimits,
  now: number,
): number {
  const running = child.current;
  if (running === undefined) return Infinity;
  if (running.ending === undefined) {
    running.ending = { kind, reason, stage: 'aborted', nextAt: now + abortMs };
    child.send(TO_CHILD.abort, { kind, reason });
  }
  return running.ending.nextAt;
}

/** Does what is due for a child; answers when to look again. `mayRetire`: it is not needed when it is idle. */
export function sweepChild(
  child: Child,
  limits: PoolLimits,
  now: number,
  mayRetire: boolean,
  onStarted: (id: string, report: string) => void,
): number {
  if (child.state === 'settling') {
    if (child.settleBy > now) return child.settleBy;
    child.kill('SIGKILL');
    return Infinity;
  }
  if (child.state === 'idle' && mayRetire) {
    const retireAt = child.lastUsed + limits.idleMs;
    if (retireAt > now) return retireAt;
    child.kill('SIGKILL');
    return Infinity;
  }
  const running = child.current;
  if (running === undefined) return Infinity;
  const startedAt = running.begunAt + limits.startedAfterMs;
  if (!running.isReported && running.work.kind === 'attempt') {
    if (startedAt > now) return startedAt;
    running.isReported = true;
    const report: WorkerReport = { kind: 'started', id: running.work.id, at: running.startedAt, pid: running.pid };
    onStarted(running.work.id, JSON.stringify(report));
  }
  const { ending } = running;
  if (ending !== undefined) return ending.nextAt > now ? ending.nextAt : proceed(child, ending, limits, now);
  if (running.deadline > now) return running.deadline;
  return beginEnding(child, 'timeout', timeoutReason(running.timeoutMs ?? 0), limits, now);
}

function proceed(child: Child, ending: Ending, { graceMs }: PoolLimits, now: number): number {
  const isFirst = ending.stage === 'aborted';
  ending.stage = isFirst ? 'terminated' : 'killed';
  ending.nextAt = isFirst ? now + graceMs : Infinity;
  child.kill(isFirst ? 'SIGTERM' : 'SIGKILL');
  return ending.nextAt;
}
