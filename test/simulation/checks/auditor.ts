import type { ReadyMessage } from '@rondo/contracts';
import {
  attemptId,
  instanceId,
  parseAttemptId,
  SHARDS_STREAM,
  type Assignment,
  type AttemptRef,
  type DagDefinition,
  type Pool,
  type ShardsTaken,
} from '@rondo/domain';
import type { RecordedEvent } from '@rondo/ports';
import { NaiveRun, type NaiveTask } from '../../properties/naive-model.ts';
import type { Recorder } from '../engine/recorder.ts';
import type { OutsideLog } from '../engine/worker-host.ts';

type Data = Readonly<Record<string, unknown>>;

/** Ends of an attempt: each attempt has one. */
const ENDS = new Set([
  'TaskSucceeded',
  'TaskFailed',
  'TaskRetryScheduled',
  'TaskDeferred',
  'TaskRescheduled',
  'TaskLost',
  'TaskWithdrawn',
  'TaskAttemptClosed',
]);

/** Clears that make an instance run again although it has succeeded. */
const AGAIN = new Set(['TaskCleared', 'RunRetried', 'GroupRetried', 'TaskMarked']);

/**
 * Looks at each event when it becomes durable and at each body when it begins and ends: what the platform says of itself is
 * compared with what it has done.
 */
export class Auditor implements OutsideLog {
  /** `dagId:runId` of each run that was asked for; true: it is closed. */
  readonly runs = new Map<string, boolean>();
  bodies = 0;
  private readonly sensorEvents = new Set<string>();
  private readonly recorder: Recorder;
  private readonly dags: ReadonlyMap<string, DagDefinition>;
  private readonly pools: ReadonlyMap<string, Pool>;
  /** Published and not ended in the history. */
  private readonly open = new Set<string>();
  /** They wait: one more event ends them. */
  private readonly deferred = new Set<string>();
  private readonly over = new Set<string>();
  /** Instances that have succeeded and were not cleared since. */
  private readonly done = new Set<string>();
  private readonly running = new Map<string, { readonly worker: string; readonly assignment: Assignment }>();
  private readonly byInstance = new Map<string, string>();
  private readonly held = new Map<string, number>();
  private readonly begunIds = new Set<string>();
  private readonly naive = new Map<string, NaiveRun | undefined>();
  /** Of the latest owner of each shard. */
  private readonly epochs = new Map<number, number>();
  private seen = 0;

  constructor(recorder: Recorder, dags: readonly DagDefinition[], pools: readonly Pool[]) {
    this.recorder = recorder;
    this.dags = new Map(dags.map((dag) => [dag.dagId, dag]));
    this.pools = new Map(pools.map((pool) => [pool.name, pool]));
  }

  /** To be called whenever something may have been appended. */
  follow(events: readonly RecordedEvent[]): void {
    for (; this.seen < events.length; this.seen++) {
      const event = events[this.seen]!;
      if (event.stream.startsWith('dagRun-')) this.onRunEvent(event);
      else if (event.stream.startsWith('dag-')) this.onDagEvent(event);
      else if (event.stream === SHARDS_STREAM)
        for (const shard of (JSON.parse(event.data) as ShardsTaken['data']).shards)
          this.epochs.set(shard, event.revision + 1);
      else if (event.stream.startsWith('sensorEvents-'))
        this.sensorEvents.add((JSON.parse(event.data) as { readonly id: string }).id);
    }
  }

  /** Of the latest owner of a shard, nobody else writes its streams: what it states is as they say. */
  stated(scheduler: string, message: ReadyMessage): void {
    if (message.kind !== 'order' || message.from?.epoch !== this.epochs.get(message.from?.shard ?? -1)) return;
    const { id } = message.assignment;
    if (this.over.has(id)) this.recorder.violation('I1', `${scheduler} states ${id}, which is over`);
  }

  /** As many runs as were asked for are closed, what came from outside has been taken, and nothing runs. */
  isAtRest(runs: number, sensorEvents: number): boolean {
    if (this.runs.size < runs || this.sensorEvents.size < sensorEvents || this.running.size > 0) return false;
    for (const isClosed of this.runs.values()) if (!isClosed) return false;
    return true;
  }

  hasEvent(id: string): boolean {
    return this.sensorEvents.has(id);
  }

  unfinished(): string {
    const open = [...this.runs].filter(([, isClosed]) => !isClosed).map(([name]) => name);
    return `${this.runs.size} runs, open ${open.join(' ') || 'none'}; bodies ${[...this.running.keys()].join(' ') || 'none'}`;
  }

  private onDagEvent({ stream, type, data }: RecordedEvent): void {
    if (!['RunRequested', 'RunReopened', 'RunClosed'].includes(type)) return;
    const { runId } = JSON.parse(data) as { readonly runId: string };
    this.runs.set(`${stream.slice('dag-'.length)}:${runId}`, type === 'RunClosed');
  }

  /** A decision is written at once: what its rules said last is judged when the next event of any run comes. */
  private onRunEvent({ stream, type, data: text }: RecordedEvent): void {
    const name = stream.slice('dagRun-'.length);
    const [dagId = '', ...rest] = name.split(':');
    const runId = rest.join(':');
    const data = JSON.parse(text) as Data;
    const attempt = 'attempt' in data && type === 'TaskSkipped' ? (data['attempt'] as Data) : data;
    if (typeof attempt['leg'] === 'number') this.onAttempt(dagId, runId, type, attempt);
    if (AGAIN.has(type)) this.onAgain(dagId, runId, data);
    try {
      this.naiveOf(name, dagId)?.apply({ type, data });
    } catch (error) {
      this.recorder.violation('history', `${name}: ${type} ${text.slice(0, 200)}: ${(error as Error).message}`);
    }
  }

  private naiveOf(name: string, dagId: string): NaiveRun | undefined {
    if (!this.naive.has(name)) {
      const dag = this.dags.get(dagId);
      const isPlain = dag?.tasks.every(({ expand }) => expand === undefined) === true;
      this.naive.set(name, isPlain ? new NaiveRun(dag.tasks.map(naiveTask)) : undefined);
    }
    return this.naive.get(name);
  }

  private onAttempt(dagId: string, runId: string, type: string, data: Data): void {
    const ref = { ...(data as unknown as AttemptRef), dagId, runId };
    const id = attemptId(ref);
    if (type === 'TaskScheduled') {
      if (this.open.has(id) || this.over.has(id)) this.recorder.violation('I1', `${id} was published twice`);
      this.open.add(id);
      return;
    }
    const isEnd = ENDS.has(type) || type === 'TaskSkipped';
    if (!isEnd) return;
    if (type === 'TaskSucceeded') this.done.add(instanceId(ref));
    if (type === 'TaskDeferred' && this.open.delete(id)) this.deferred.add(id);
    else if (this.open.delete(id) || this.deferred.delete(id)) this.over.add(id);
    else if (this.over.has(id)) this.recorder.violation('I1', `${id} was decided twice: ${type}`);
  }

  private onAgain(dagId: string, runId: string, data: Data): void {
    const ranges = (data['instances'] ?? []) as readonly { readonly taskId: string }[];
    for (const { taskId } of ranges)
      for (const done of this.done)
        if (done === `${dagId}:${runId}:${taskId}` || done.startsWith(`${dagId}:${runId}:${taskId}[`))
          this.done.delete(done);
  }

  begun(worker: string, assignment: Assignment): void {
    const { id, attempt } = assignment;
    this.bodies++;
    this.recorder.note(worker, `body begins ${id}`);
    const instance = instanceId(attempt);
    const other = this.byInstance.get(instance);
    if (other !== undefined)
      this.recorder.violation(
        'I3',
        `${id} begins at ${worker} while ${other} runs at ${this.running.get(other)?.worker}`,
      );
    if (this.begunIds.has(id)) this.recorder.violation('I1', `${id} begins a second time, at ${worker}`);
    if (!this.open.has(id))
      this.recorder.violation('I1', `${id} begins at ${worker} and is ${this.over.has(id) ? 'over' : 'not published'}`);
    if (this.done.has(instance)) this.recorder.violation('I19', `${id} begins although its success is durable`);
    this.begunIds.add(id);
    this.byInstance.set(instance, id);
    this.running.set(id, { worker, assignment });
    this.take(attempt.dagId, attempt.taskId, 1);
  }

  ended(worker: string, id: string, how: string): void {
    this.recorder.note(worker, `body ends ${id}: ${how}`);
    const attempt = parseAttemptId(id)!;
    if (!this.running.delete(id)) return;
    if (this.byInstance.get(instanceId(attempt)) === id) this.byInstance.delete(instanceId(attempt));
    this.take(attempt.dagId, attempt.taskId, -1);
  }

  private take(dagId: string, taskId: string, sign: 1 | -1): void {
    const task = this.dags.get(dagId)!.tasks.find((each) => each.taskId === taskId)!;
    const held = (this.held.get(task.pool) ?? 0) + sign * task.poolSlots;
    this.held.set(task.pool, held);
    const pool = this.pools.get(task.pool);
    if (sign > 0 && pool !== undefined && held > pool.slots)
      this.recorder.violation('I2', `pool '${pool.name}' has ${pool.slots} slots, and ${held} are taken`);
  }
}

function naiveTask(task: DagDefinition['tasks'][number]): NaiveTask {
  return {
    id: task.taskId,
    upstream: task.upstream,
    rule: task.triggerRule,
    setup: false,
    teardown: false,
    mustNotFail: false,
    inline: task.runs !== 'child',
    retries: task.retries,
    lostBudget: task.maxLostAttempts,
  };
}
