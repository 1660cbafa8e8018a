import type { AttemptRef } from '@rondo/domain';
import type { Assignment, WorkerReport } from '@rondo/ports';
import type { Pod } from '../api/objects.ts';
import type { Problem } from '../pod/stand.ts';
import type { PodLink } from '../session/pod-link.ts';
import type { PodIdentity } from './names.ts';

export type EndReport = Extract<WorkerReport, { kind: 'finished' | 'lost' }>;

/** An attempt whose result is not durable yet. Times are monotonic milliseconds. */
export class Entry {
  readonly id: string;
  readonly attempt: AttemptRef;
  /** Of its pod and of its Secret. */
  readonly name: string;
  partition: number;
  generation: number;
  /** Undefined: the gateway has not said that it is to be begun. An adopted one that has begun needs none. */
  assignment: Assignment | undefined;
  /** As it was last seen. Undefined: it is being made. */
  pod: Pod | undefined;
  token: string | undefined;
  link: PodLink | undefined;
  /** Its worker may have begun it: another may only follow when that one has ended. */
  mayHaveBegun = false;
  startedAt: number | undefined;
  /** When its pod was last heard of: a beat, or that its container runs. */
  heardAt: number;
  report: EndReport | undefined;
  cancelled: { readonly reason: string; readonly deleteAt: number } | undefined;
  /** Why it does not start. */
  stuck: Problem | undefined;
  /** Its container runs, as the cluster says. */
  isRunning = false;
  /** Its pod object is there no more. */
  isGone = false;
  /** Why its pod is to be ended though nobody has seen its container end: it may still run somewhere. */
  unseen: string | undefined;
  isConcluding = false;
  isDeleting = false;
  readonly since: number;

  constructor({ id, attempt, partition, generation }: PodIdentity, name: string, now: number) {
    this.id = id;
    this.attempt = attempt;
    this.name = name;
    this.partition = partition;
    this.generation = generation;
    this.heardAt = now;
    this.since = now;
  }
}
