import { createHash } from 'node:crypto';
import type {
  DagDefinition,
  DagEvent,
  DagRunEvent,
  DagVersion,
  InstanceRange,
  TaskState,
  XComValue,
} from '@rondo/domain';
import { aDefinition, aTask } from './definition.ts';

export type Emit = (stream: string, type: string, data: object) => void;

/** The tasks of every generated run; `mapped` has instances that only its events name. */
export const RANDOM_DEFINITION: DagDefinition = aDefinition(
  'random',
  [
    aTask('first', { retries: 2, operator: 'HttpOperator', owner: 'ops' }),
    aTask('second', { upstream: ['first'], pool: 'small' }),
    aTask('third', { upstream: ['second'], retries: 1 }),
    aTask('mapped', { queue: 'gpu' }),
  ],
  { tags: ['nightly'] },
);
export const RANDOM_DAG_VERSION: DagVersion = {
  definition: RANDOM_DEFINITION,
  bundle: { hash: 'b', file: 'random.ts' },
};
/** The bytes of the version as a blob store has them, and their hash. */
export const RANDOM_VERSION_BYTES = Buffer.from(JSON.stringify(RANDOM_DAG_VERSION));
export const RANDOM_VERSION = createHash('sha256').update(RANDOM_VERSION_BYTES).digest('hex');

interface Instance {
  readonly taskId: string;
  readonly mapIndex: readonly number[];
  state: TaskState;
  tryNumber: number;
  leg: number;
  open: boolean;
  sameTry: boolean;
}

/** One run that goes, step by step, anywhere that an event may lead. */
export class RandomRun {
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
      case 'closed': {
        if (this.random() > 0.3 || this.instances.every((each) => each.tryNumber === 0)) return;
        const again =
          this.random() < 0.5 ? {} : { backfill: { backfillId: 1, ordinal: 1 + Math.floor(this.random() * 9) } };
        this.dag('RunReopened', { runId, ...again });
        this.own('RunReopened', again);
        this.bulk('TaskCleared', this.instances.slice(0, 2));
        this.state = 'reopened';
        return;
      }
    }
  }

  private stepInstance(instance: Instance): void {
    const roll = this.random();
    if (roll < 0.06) return this.bulk('TaskCleared', [instance, this.pick(this.instances)]);
    if (roll < 0.09) return this.bulk('TaskMarked', [instance]);
    if (roll < 0.12) return this.editXCom(instance);
    if (instance.open) return this.moveAttempt(instance);
    if (instance.state === 'none' && roll < 0.2)
      return this.bulk(this.pick(['TaskSkipped', 'TaskUpstreamFailed', 'TaskRemoved'] as const), [instance]);
    if (instance.state === 'none' || instance.state.startsWith('up_for') || instance.state === 'deferred')
      this.dispatch(instance);
  }

  private editXCom({ taskId, mapIndex }: Instance): void {
    const key = this.pick(['return_value', 'big', 'by_hand']);
    if (this.random() < 0.5) this.own('XComDeleted', { taskId, mapIndex, key });
    else this.own('XComSet', { taskId, mapIndex, key, value: { value: this.random() } });
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
