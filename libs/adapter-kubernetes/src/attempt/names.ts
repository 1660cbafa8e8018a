import { createHash } from 'node:crypto';
import { attemptId, parseAttemptId, type AttemptRef } from '@rondo/domain';
import type { OwnedPartition } from '@rondo/ports';
import type { Meta } from '../api/objects.ts';

const DOMAIN = 'rondo.dev';
export const LABELS = {
  installation: `${DOMAIN}/installation`,
  attempt: `${DOMAIN}/attempt`,
  partition: `${DOMAIN}/partition`,
} as const;
export const ANNOTATIONS = { attempt: `${DOMAIN}/attempt-id`, generation: `${DOMAIN}/generation` } as const;
/** Keeps a pod that something else deletes until its end has been read. */
export const FINALIZER = `${DOMAIN}/attempt`;

const hash = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);

/** The same for the same attempt of the same installation: creating it twice makes one pod. Fits a host name of 63. */
export function podName(installation: string, attempt: AttemptRef): string {
  const words = `${attempt.dagId}-${attempt.taskId}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const slug = words.slice(0, 38).replace(/^-+|-+$/g, '');
  return `rondo-${slug === '' ? '' : `${slug}-`}${hash(`${installation}\n${attemptId(attempt)}`, 16)}`;
}

/** What may stand in a label: a text that has to be changed for it gets a hash of its own, so that two stay two. */
export function labelValue(text: string): string {
  if (text.length <= 63 && /^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$/.test(text)) return text;
  const plain = text.replace(/[^A-Za-z0-9_.-]+/g, '-').slice(0, 52);
  return `${plain.replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')}-${hash(text, 10)}`.replace(/^-/, '');
}

/** Labels to select by, shortened where they must be; annotations in full. */
export function metaOf(installation: string, attempt: AttemptRef, owned: OwnedPartition): Meta {
  const { dagId, runId, taskId, mapIndex, tryNumber, leg } = attempt;
  return {
    name: podName(installation, attempt),
    labels: {
      'app.kubernetes.io/name': 'rondo-attempt',
      'app.kubernetes.io/managed-by': 'rondo',
      [LABELS.installation]: installation,
      [LABELS.partition]: String(owned.partition),
      [LABELS.attempt]: hash(attemptId(attempt), 40),
      [`${DOMAIN}/dag`]: labelValue(dagId),
      [`${DOMAIN}/run`]: labelValue(runId),
      [`${DOMAIN}/task`]: labelValue(taskId),
      ...(mapIndex.length === 0 ? {} : { [`${DOMAIN}/map-index`]: labelValue(mapIndex.join('.')) }),
      [`${DOMAIN}/try`]: String(tryNumber),
      [`${DOMAIN}/leg`]: String(leg),
    },
    annotations: {
      [ANNOTATIONS.attempt]: attemptId(attempt),
      [ANNOTATIONS.generation]: String(owned.generation),
      [`${DOMAIN}/dag-id`]: dagId,
      [`${DOMAIN}/run-id`]: runId,
      [`${DOMAIN}/task-id`]: taskId,
    },
  };
}

export interface PodIdentity extends OwnedPartition {
  readonly id: string;
  readonly attempt: AttemptRef;
}

/** Whose pod it is; undefined: nobody's that is known here. */
export function identityOf({ labels = {}, annotations = {} }: Meta): PodIdentity | undefined {
  const id = annotations[ANNOTATIONS.attempt];
  const attempt = id === undefined ? undefined : parseAttemptId(id);
  const partition = Number(labels[LABELS.partition]);
  if (id === undefined || attempt === undefined || !Number.isInteger(partition)) return undefined;
  return { id, attempt, partition, generation: Number(annotations[ANNOTATIONS.generation] ?? 0) };
}
