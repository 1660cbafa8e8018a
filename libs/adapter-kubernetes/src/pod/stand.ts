import type { TaskError } from '@rondo/domain';
import { assertNever } from '@rondo/kernel';
import type { ContainerStatus, Pod, Terminated } from '../api/objects.ts';
import { CONTAINER } from './template.ts';

/** Where a pod stands, as its status says. */
export type Stand =
  | { readonly kind: 'waiting'; readonly problem?: Problem }
  | { readonly kind: 'running' }
  | { readonly kind: 'ended'; readonly end: PodEnd };

/** Why it has not started yet. `isFinal`: waiting helps nothing. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
  readonly isFinal: boolean;
}

export interface PodEnd {
  /** `memory`, `deadline`: a limit of the task. `broken`: it could not be started. `taken`: the cluster or its worker has ended it, which says nothing of the task. */
  readonly kind: 'success' | 'exit' | 'memory' | 'deadline' | 'broken' | 'taken';
  readonly reason: string;
  readonly message: string;
  readonly exitCode?: number;
  /** Nobody has seen its container end: the node may be cut off, and it may still run there (I3). */
  readonly isUnseen?: true;
}

/** Reasons of a waiting container that do not pass by themselves, most of the time. */
const STUCK = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'RegistryUnavailable',
  'ImageInspectError',
  'SignatureValidationFailed',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
]);
const FINAL = new Set(['InvalidImageName', 'ErrImageNeverPull']);
/** Reasons with which a container never ran. */
const NOT_STARTED = new Set(['StartError', 'ContainerCannotRun', 'CreateContainerError']);
const KILLED = 137;

export function standOf({ metadata, status = {} }: Pod): Stand {
  const { phase, containerStatuses = [], initContainerStatuses = [] } = status;
  const main = containerStatuses.find(({ name }) => name === CONTAINER);
  const terminated = main?.state?.terminated;
  // Another container may go on beside the attempt's: its pod is ended then all the same.
  if (terminated !== undefined) return { kind: 'ended', end: endOf(terminated, status, metadata.deletionTimestamp) };
  if (phase === 'Failed' || phase === 'Succeeded')
    return { kind: 'ended', end: endWithoutContainer(status, initContainerStatuses) };
  if (main?.state?.running !== undefined) return { kind: 'running' };
  const problem = problemOf(status, [...initContainerStatuses, ...containerStatuses]);
  return problem === undefined ? { kind: 'waiting' } : { kind: 'waiting', problem };
}

function endOf(
  { exitCode, reason = exitCode === 0 ? 'Completed' : 'Error', message }: Terminated,
  status: NonNullable<Pod['status']>,
  deleted?: string,
): PodEnd {
  const said = message === undefined || message === '' ? '' : `: ${message.trim().slice(-1_000)}`;
  const about = { exitCode, reason };
  if (reason === 'OOMKilled') return { ...about, kind: 'memory', message: "the pod's container ran out of memory" };
  if (status.reason === 'DeadlineExceeded') return deadline(status);
  if (exitCode === 0) return { ...about, kind: 'success', message: "the pod's worker has left" };
  const taken = takenBy(status, deleted);
  if (taken !== undefined) return { ...taken, exitCode };
  if (NOT_STARTED.has(reason))
    return { ...about, kind: 'broken', message: `the pod's container could not be started${said}` };
  // What the node kills for want of memory is not always called so.
  if (exitCode === KILLED) return { ...about, kind: 'exit', message: `the pod's container was killed${said}` };
  return { ...about, kind: 'taken', message: `the pod's worker ended with exit code ${exitCode}${said}` };
}

/** A pod that failed as a whole: evicted, refused by its node, or one of its init containers did. */
function endWithoutContainer(status: NonNullable<Pod['status']>, init: readonly ContainerStatus[]): PodEnd {
  if (status.reason === 'DeadlineExceeded') return deadline(status);
  if (status.phase === 'Succeeded')
    return { kind: 'success', reason: 'Completed', message: "the pod's worker has left" };
  const first = init.find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
  const end = first?.state?.terminated;
  if (first !== undefined && end !== undefined)
    return {
      kind: end.reason === 'OOMKilled' ? 'memory' : 'broken',
      reason: end.reason ?? 'Error',
      message: `the pod's container '${first.name}' ended with exit code ${end.exitCode}: ${end.message ?? end.reason ?? ''}`,
      exitCode: end.exitCode,
    };
  const reason = status.reason ?? 'Failed';
  const failed = { kind: 'taken', reason, message: `the pod has failed: ${status.message ?? ''}` } as const;
  return { ...(takenBy(status, undefined) ?? failed), isUnseen: true };
}

/** The cluster has ended it: evicted, preempted, drained, its node gone. */
function takenBy(
  { reason, message, conditions = [] }: NonNullable<Pod['status']>,
  deleted: string | undefined,
): PodEnd | undefined {
  const disruption = conditions.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True');
  const why = reason ?? disruption?.reason ?? (deleted === undefined ? undefined : 'Deleted');
  if (why === undefined) return undefined;
  const text = message ?? disruption?.message ?? '';
  return { kind: 'taken', reason: why, message: `the pod was taken away (${why})${text === '' ? '' : `: ${text}`}` };
}

function deadline({ message = '' }: NonNullable<Pod['status']>): PodEnd {
  return {
    kind: 'deadline',
    reason: 'DeadlineExceeded',
    message: `the pod was active for longer than it may: ${message}`,
  };
}

function problemOf(
  { conditions = [] }: NonNullable<Pod['status']>,
  containers: readonly ContainerStatus[],
): Problem | undefined {
  for (const { name, state } of containers) {
    const reason = state?.waiting?.reason;
    if (reason === undefined || !STUCK.has(reason)) continue;
    const message = `the pod's container '${name}' does not start (${reason}): ${state?.waiting?.message ?? ''}`;
    return { reason, message, isFinal: FINAL.has(reason) };
  }
  const scheduled = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  if (scheduled === undefined) return undefined;
  const reason = scheduled.reason ?? 'Unschedulable';
  return { reason, message: `no node takes the pod (${reason}): ${scheduled.message ?? ''}`, isFinal: false };
}

/** The error of a task whose pod has ended without a result; undefined: the attempt is lost, which says nothing of the task (I19). */
export function errorOfEnd(
  { kind, reason, message, exitCode }: PodEnd,
  logTail: readonly string[],
): TaskError | undefined {
  const tail = logTail.length === 0 ? {} : { logTail };
  switch (kind) {
    case 'memory':
      return { kind: 'exit', type: reason, message, exitCode: exitCode ?? KILLED, signal: 'SIGKILL', ...tail };
    case 'exit':
      return { kind: 'exit', type: reason, message, exitCode: exitCode ?? KILLED, ...tail };
    case 'deadline':
      return { kind: 'timeout', type: reason, message, ...tail };
    case 'broken':
      return { kind: 'exit', type: reason, message, ...(exitCode === undefined ? {} : { exitCode }), ...tail };
    case 'success':
    case 'taken':
      return undefined;
    default:
      return assertNever(kind, 'end of a pod');
  }
}
