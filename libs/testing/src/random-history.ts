import type { DagDefinition, DagEvent, DagRunEvent, InstanceRange, TaskState, XComValue } from '@rondo/domain';
import type { NewEvent, RecordedEvent } from '@rondo/ports';
import { aDefinition, aTask } from './definition.ts';

export interface HistoryEvent {
  readonly stream: string;
  readonly type: string;
  readonly data: unknown;
  /** When it occurred, epoch milliseconds. */
  readonly at: number;
}

/** The same numbers for the same seed, from 0 up to 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** As a store would have recorded them; positions have gaps, as they may. */
export function record(history: readonly HistoryEvent[]): RecordedEvent[] {
  const revisions = new Map<string, number>();
  return history.map(({ stream, type, data, at }, index) => {
    const revision = revisions.get(stream) ?? 0;
    revisions.set(stream, revision + 1);
    const meta = JSON.stringify({ prev: '', at });
    return { position: index * 3 + 1, stream, revision, id: `${index}`, type, data: JSON.stringify(data), meta };
  });
}

/** As they are handed to a store, each with an id of its own. */
export function toNewEvent({ type, data, at }: HistoryEvent): NewEvent {
  return { id: crypto.randomUUID(), type, data: JSON.stringify(data), meta: JSON.stringify({ at }) };
}

interface Instance {
  readonly taskId: string;
  readonly mapIndex: readonly number[];
  state: TaskState;
  tryNumber: number;
  leg: number;
  open: boolean;
  sameTry: boolean;
}

/** The tasks of every generated run; `mapped` has instances that only its events name. */
export const RANDOM_VERSION = 'v'.repeat(64);
export const RANDOM_DEFINITION: DagDefinition = aDefinition('random', [
  aTask('first', { retries: 2, operator: 'HttpOperator', owner: 'ops' }),
  aTask('second', { upstream: ['first'], pool: 'small' }),
  aTask('third', { upstream: ['second'], retries: 1 }),
  aTask('mapped', { queue: 'gpu' }),
]);

/**
 * A history of some runs of one DAG, interleaved, in which every event is one that may follow the events before it; and
 * of variables, connections and DAG files between them. What happens is up to the seed, not to any trigger rule.
 */
export function randomHistory(seed: number, length: number, runs = 3, withMapped = true): HistoryEvent[] {
  const random = seededRandom(seed);
  const out: HistoryEvent[] = [];
  let now = 1_700_000_000_000;
  const emit = (stream: string, type: string, data: object): void => {
    now += Math.floor(random() * 1_000);
    out.push({ stream, type, data: 'at' in data ? { ...data, at: now } : data, at: now });
  };
  const scheduling = {
    timetable: { kind: 'none' },
    timezone: 'UTC',
    catchup: false,
    maxActiveRuns: 16,
    maxConsecutiveFailedDagRuns: 0,
    isPausedUponCreation: true,
  };
  emit('dag-random', 'DagVersionPublished', { version: RANDOM_VERSION, file: 'random.ts', bundle: 'b', scheduling });
  const live = Array.from({ length: runs }, (_, index) => new RandomRun(`run:${index}`, random, emit, withMapped));
  while (out.length < length) {
    if (random() < 0.08) emitAdmin(random, emit);
    else live[Math.floor(random() * live.length)]!.step();
  }
  return out;
}

type Emit = (stream: string, type: string, data: object) => void;

function emitAdmin(random: () => number, emit: Emit): void {
  const n = Math.floor(random() * 3);
  const sealed = { alg: 'A256GCM', kid: '0', box: `${random()}` };
  const kinds: readonly (() => void)[] = [
    () => emit(`variable-k${n}`, 'VariableSet', { key: `k${n}`, value: sealed }),
    () => emit(`variable-k${n}`, 'VariableDeleted', { key: `k${n}` }),
    () => emit(`connection-c${n}`, 'ConnectionSet', { connId: `c${n}`, connType: 'http', host: 'h', sealed }),
    () => emit(`connection-c${n}`, 'ConnectionDeleted', { connId: `c${n}` }),
    () => emit(`imports-f${n}.ts`, 'DagFileFailed', { file: `f${n}.ts`, failures: [{ file: `f${n}.ts`, message: 'unexpected token', line: n + 1 }] }),
    () => emit(`imports-f${n}.ts`, 'DagFileLoaded', { file: `f${n}.ts`, dagIds: ['random'], files: [`f${n}.ts`], fingerprint: '0' }),
    () => emit('dag-random', random() < 0.5 ? 'DagPaused' : 'DagUnpaused', {}),
  ];
  kinds[Math.floor(random() * kinds.length)]!();
}

class RandomRun {
  private state: 'new' | 'requested' | 'admitted' | 'running' | 'ended' | 'closed' | 'reopened' | 'readmitted' = 'new';
  private readonly instances: Instance[];
  private readonly runId: string;
  private readonly random: () => number;
  private readonly emit: Emit;

  constructor(runId: string, random: () => number, emit: Emit, withMapped: boolean) {
    this.runId = runId;
    this.random = random;
    this.emit = emit;
    const paths: readonly (readonly [string, readonly number[]])[] = [
      ...RANDOM_DEFINITION.tasks.map((task) => [task.taskId, []] as const),
      ...(withMapped ? [0, 1, 2] : []).map((index) => ['mapped', [index]] as const),
    ];
    this.instances = paths.map(([taskId, mapIndex]) => ({
      taskId,
      mapIndex,
      state: 'none',
      tryNumber: 0,
      leg: 0,
      open: false,
      sameTry: false,
    }));
  }

  private dag<T extends DagEvent['type']>(type: T, data: Extract<DagEvent, { type: T }>['data']): void {
    this.emit('dag-random', type, data);
  }

  private own<T extends DagRunEvent['type']>(
    type: T,
    data: Omit<Extract<DagRunEvent, { type: T }>['data'], 'at'>,
  ): void {
    this.emit(`dagRun-random:${this.runId}`, type, { at: 0, ...data });
  }

  private pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)]!;
  }

  step(): void {
    const { runId } = this;
    const facts = {
      runId,
      runType: 'manual',
      logicalDate: null,
      dataInterval: [1, 2],
      runAfter: 3,
      triggeredBy: 'user',
    } as const;
    switch (this.state) {
      case 'new':
        this.dag('RunRequested', { ...facts, conf: { n: this.random() }, note: 'by hand' });
        this.state = 'requested';
        return;
      case 'requested':
      case 'reopened':
        if (this.state === 'requested' && this.random() < 0.1) {
          this.dag('RunClosed', { runId, state: 'failed' });
          this.state = 'closed';
          return;
        }
        this.dag('RunAdmitted', { runId, version: RANDOM_VERSION });
        this.state = this.state === 'requested' ? 'admitted' : 'readmitted';
        return;
      case 'admitted':
        this.own('RunStarted', { ...facts, dagId: 'random', version: RANDOM_VERSION });
        this.state = 'running';
        return;
      case 'readmitted':
        this.own('RunResumed', {});
        this.state = 'running';
        return;
      case 'running':
        if (this.random() < 0.03) {
          this.own(this.pick(['RunSucceeded', 'RunFailed'] as const), { reason: 'all_done' });
          this.state = 'ended';
          return;
        }
        this.stepInstance(this.pick(this.instances));
        return;
      case 'ended':
        this.dag('RunClosed', { runId, state: 'success' });
        this.state = 'closed';
        return;
      case 'closed':
        if (this.random() > 0.3 || this.instances.every((each) => each.tryNumber === 0)) return;
        this.dag('RunReopened', { runId });
        this.own('RunReopened', {});
        this.bulk('TaskCleared', this.instances.slice(0, 2));
        this.state = 'reopened';
        return;
    }
  }

  private stepInstance(instance: Instance): void {
    const roll = this.random();
    if (roll < 0.06) return this.bulk('TaskCleared', [instance, this.pick(this.instances)]);
    if (roll < 0.09) return this.bulk('TaskMarked', [instance]);
    if (instance.open) return this.moveAttempt(instance);
    if (instance.state === 'none' && roll < 0.2)
      return this.bulk(this.pick(['TaskSkipped', 'TaskUpstreamFailed', 'TaskRemoved'] as const), [instance]);
    if (instance.state === 'none' || instance.state.startsWith('up_for') || instance.state === 'deferred')
      this.dispatch(instance);
  }

  private dispatch(instance: Instance): void {
    const again = instance.sameTry || instance.state === 'up_for_reschedule' || instance.state === 'deferred';
    const fresh = !again;
    if (fresh) instance.tryNumber++;
    instance.leg = fresh ? 1 : instance.leg + 1;
    instance.sameTry = false;
    if (fresh && this.random() < 0.1) {
      this.own('TaskSucceeded', this.key(instance));
      instance.state = 'success';
      return;
    }
    this.own('TaskScheduled', this.key(instance));
    instance.state = 'scheduled';
    instance.open = true;
  }

  private moveAttempt(instance: Instance): void {
    const key = this.key(instance);
    if (!['scheduled', 'queued', 'running'].includes(instance.state)) {
      this.own('TaskAttemptClosed', { ...key, reason: 'ended late' });
      instance.open = false;
      if (instance.state === 'restarting') instance.state = 'none';
      return;
    }
    if (this.random() < 0.1) {
      this.own('TaskLost', { ...key, reason: 'worker gone' });
      instance.sameTry = true;
      return this.endAttempt(instance, 'none');
    }
    if (instance.state === 'scheduled') {
      this.own('TaskQueued', { ...key, executor: 'local', worker: 'w1' });
      instance.state = 'queued';
    } else if (instance.state === 'queued') {
      this.own('TaskStarted', { ...key, pid: 42 });
      instance.state = 'running';
    } else this.finish(instance, key);
  }

  private finish(instance: Instance, key: ReturnType<RandomRun['key']>): void {
    const xcoms: Record<string, XComValue> = {
      return_value: { value: this.random() },
      big: { blob: 'b'.repeat(64), bytes: 9 },
    };
    const error = { kind: 'exception', message: 'boom', type: 'TypeError' } as const;
    const rendered = { command: `echo ${this.random()}` };
    switch (Math.floor(this.random() * 6)) {
      case 0:
        this.own('TaskFailed', { ...key, error, rendered });
        return this.endAttempt(instance, 'failed');
      case 1:
        this.own('TaskRetryScheduled', { ...key, error, retryAt: 5, xcoms, rendered } as never);
        return this.endAttempt(instance, 'up_for_retry');
      case 2:
        this.own('TaskRescheduled', { ...key, until: 7 });
        return this.endAttempt(instance, 'up_for_reschedule');
      case 3:
        this.own('TaskDeferred', {
          ...key,
          waitFor: {
            kind: 'dagRun',
            request: { dagId: 'd', runId: 'r', wait: true, allowedStates: ['success'], skipWhenAlreadyExists: false },
          },
        });
        return this.endAttempt(instance, 'deferred');
      case 4:
        this.own('TaskSkipped', {
          instances: [{ taskId: instance.taskId, mapIndex: instance.mapIndex }],
          reason: 'Skip',
          attempt: key,
        });
        return this.endAttempt(instance, 'skipped');
      default:
        this.own('TaskSucceeded', { ...key, xcoms, rendered });
        return this.endAttempt(instance, 'success');
    }
  }

  private endAttempt(instance: Instance, state: TaskState): void {
    instance.open = false;
    instance.state = state;
  }

  private key({ taskId, mapIndex, tryNumber, leg }: Instance) {
    return { taskId, mapIndex, tryNumber, leg };
  }

  private bulk(
    type: 'TaskCleared' | 'TaskMarked' | 'TaskSkipped' | 'TaskUpstreamFailed' | 'TaskRemoved',
    chosen: readonly Instance[],
  ): void {
    const all = chosen.some((each) => each.mapIndex.length > 0);
    const picked = [
      ...new Set([...chosen.filter((each) => each.mapIndex.length === 0), ...(all ? this.instances.slice(-3) : [])]),
    ];
    const instances: InstanceRange[] = picked
      .filter((each) => each.mapIndex.length === 0)
      .map(({ taskId, mapIndex }) => ({ taskId, mapIndex }));
    if (all) instances.push({ taskId: 'mapped', mapIndex: [0], to: 2 });
    if (type === 'TaskCleared') this.own(type, { instances });
    else if (type === 'TaskMarked') this.own(type, { instances, state: 'success', reason: 'by hand' });
    else this.own(type, { instances, reason: 'because' });
    for (const each of picked) {
      if (type === 'TaskCleared') each.state = each.open ? 'restarting' : 'none';
      else
        each.state =
          type === 'TaskMarked'
            ? 'success'
            : type === 'TaskSkipped'
              ? 'skipped'
              : type === 'TaskRemoved'
                ? 'removed'
                : 'upstream_failed';
      each.sameTry = false;
    }
  }
}
