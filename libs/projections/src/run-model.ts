import { isTerminal, type DagDefinition, type MapIndex, type TaskDefinition } from '@rondo/domain';
import type { ApprovalChange, InstanceRecord, RenderedFieldsRow, RunRecord, TaskTryRow, XComRow } from '@rondo/ports';

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Rows that are folded in place. */
export type RunFoldRow = Mutable<RunRecord>;
/** `dirty`: the store has not seen the row as it is. */
export type InstanceFoldRow = Mutable<InstanceRecord> & { dirty: boolean };

/** Where the fold leaves rows that are never folded again, and tells which rows moved. */
export interface RunSink {
  keepTry(row: TaskTryRow): void;
  setXCom(row: XComRow): void;
  deleteXCom(taskId: string, mapIndex: string, key: string): void;
  /** A new try starts without what the earlier ones left. */
  forgetXComs(taskId: string, mapIndex: string): void;
  /** Its XComs and rendered fields go. */
  eraseRun(): void;
  /** No row of its instances is kept from here on. */
  archiveRun(model: RunModel): void;
  setApproval(change: ApprovalChange): void;
  setRendered(row: RenderedFieldsRow): void;
  touchRun(run: RunFoldRow): void;
  touch(instance: InstanceFoldRow): void;
  /** The row stood for instances that have rows of their own now. */
  drop(instance: InstanceFoldRow): void;
}

/** One run while it is folded. */
export class RunModel {
  readonly run: RunFoldRow;
  /** By `instanceKey`, in order of declaration. */
  readonly instances = new Map<string, InstanceFoldRow>();
  /** What the run executes; unknown for one that was let go since its start, until something asks for it. */
  definition: DagDefinition | undefined;

  constructor(run: RunFoldRow) {
    this.run = run;
  }

  /** Adopts rows that were stored before. */
  adopt(rows: readonly InstanceRecord[]): void {
    for (const row of rows) this.instances.set(keyOf(row.taskId, row.mapIndex), { ...row, dirty: false });
  }

  /** One row without a status for each task of the definition. */
  expand(definition: DagDefinition): void {
    this.definition = definition;
    for (const [ordinal, task] of definition.tasks.entries())
      this.instances.set(task.taskId, newInstance(this.run, task.taskId, '', ordinal, task));
  }

  /** Gives the rows the facts of another version. A task that is new in it gets a row; `gone` are rows of tasks that it lacks. */
  adjust(definition: DagDefinition): { readonly kept: InstanceFoldRow[]; readonly gone: InstanceFoldRow[] } {
    const facts = new Map(definition.tasks.map((task, ordinal) => [task.taskId, { task, ordinal }]));
    const known = new Set<string>();
    const [kept, gone]: [InstanceFoldRow[], InstanceFoldRow[]] = [[], []];
    for (const row of this.instances.values()) {
      const now = facts.get(row.taskId);
      if (now === undefined) {
        if (row.state !== 'removed') gone.push(row);
        continue;
      }
      const { operator, pool, queue } = now.task;
      Object.assign(row, { operator, pool, queue, ordinal: now.ordinal });
      known.add(row.taskId);
      kept.push(row);
    }
    for (const [taskId, { task, ordinal }] of facts) {
      if (known.has(taskId)) continue;
      const row = newInstance(this.run, taskId, '', ordinal, task);
      this.instances.set(taskId, row);
      kept.push(row);
    }
    return { kept, gone };
  }

  /** The instance's row, made when the history names one that the definition did not promise. */
  instance(taskId: string, path: MapIndex): InstanceFoldRow {
    const mapIndex = path.length === 0 ? '' : path.join('.');
    const key = keyOf(taskId, mapIndex);
    const known = this.instances.get(key);
    if (known !== undefined) return known;
    const sibling = this.instances.get(taskId);
    const made = newInstance(this.run, taskId, mapIndex, sibling?.ordinal ?? this.instances.size, sibling);
    this.instances.set(key, made);
    return made;
  }

  get ended(): boolean {
    return this.run.state === 'success' || this.run.state === 'failed';
  }
}

export function keyOf(taskId: string, mapIndex: string): string {
  return mapIndex === '' ? taskId : `${taskId}[${mapIndex}]`;
}

type TaskFacts = Pick<TaskDefinition, 'operator' | 'pool' | 'queue' | 'retries'>;

export function newInstance(
  run: RunRecord,
  taskId: string,
  mapIndex: string,
  ordinal: number,
  task: TaskFacts | undefined,
): InstanceFoldRow {
  const retries = task?.retries ?? 0;
  return {
    dagId: run.dagId,
    runId: run.runId,
    taskId,
    mapIndex,
    state: 'none',
    tryNumber: 0,
    maxTries: retries,
    leg: 0,
    operator: task?.operator ?? '',
    pool: task?.pool ?? '',
    queue: task?.queue ?? '',
    scheduledAt: null,
    queuedAt: null,
    startedAt: null,
    endedAt: null,
    worker: null,
    pid: null,
    retryAt: null,
    reason: null,
    error: null,
    held: false,
    priority: null,
    note: null,
    noteBy: null,
    mapIndexName: null,
    ordinal,
    retries,
    open: false,
    dirty: false,
  };
}

/** Forgets the try that the row told of. Its number and leg stay: the next one counts on from them. */
export function resetTry(row: InstanceFoldRow): void {
  row.scheduledAt = null;
  row.queuedAt = null;
  row.startedAt = null;
  row.endedAt = null;
  row.worker = null;
  row.pid = null;
  row.retryAt = null;
  row.reason = null;
  row.error = null;
}

/** The row of a try that is over; one that was ended before it came to anything counts as failed. */
export function tryOf(row: InstanceFoldRow, endedAt: number): TaskTryRow {
  return {
    dagId: row.dagId,
    runId: row.runId,
    taskId: row.taskId,
    mapIndex: row.mapIndex,
    state: isTerminal(row.state) ? row.state : 'failed',
    tryNumber: row.tryNumber,
    leg: row.leg,
    scheduledAt: row.scheduledAt,
    queuedAt: row.queuedAt,
    startedAt: row.startedAt,
    endedAt: row.endedAt ?? endedAt,
    worker: row.worker,
    pid: row.pid,
    reason: row.reason,
    error: row.error,
  };
}
