import type { ApprovalChange, InstanceRecord, RenderedFieldsRow, RunChanges, TaskTryRow, XComRow } from '@rondo/ports';
import { keyOf, type InstanceFoldRow, type RunFoldRow, type RunModel, type RunSink } from './run-model.ts';

/** What has changed in one run since its rows were last written. */
export class RunPending implements RunSink {
  private run: RunFoldRow | undefined;
  private tasks: InstanceFoldRow[] = [];
  private dropped: InstanceFoldRow[] = [];
  private readonly tries: TaskTryRow[] = [];
  private readonly forgotten = new Map<string, RunChanges['forgotten'][number]>();
  private readonly xcoms = new Map<string, Map<string, XComRow>>();
  private readonly approvals: ApprovalChange[] = [];
  private readonly rendered: RenderedFieldsRow[] = [];
  private isErased = false;
  private isArchived = false;

  touchRun(run: RunFoldRow): void {
    this.run = run;
  }

  touch(instance: InstanceFoldRow): void {
    if (instance.dirty) return;
    instance.dirty = true;
    this.tasks.push(instance);
  }

  drop(instance: InstanceFoldRow): void {
    this.dropped.push(instance);
  }

  keepTry(row: TaskTryRow): void {
    this.tries.push(row);
  }

  setXCom(row: XComRow): void {
    const key = keyOf(row.taskId, row.mapIndex);
    const ofInstance = this.xcoms.get(key);
    if (ofInstance === undefined) this.xcoms.set(key, new Map([[row.key, row]]));
    else ofInstance.set(row.key, row);
  }

  deleteXCom(taskId: string, mapIndex: string, key: string): void {
    const instance = keyOf(taskId, mapIndex);
    this.xcoms.get(instance)?.delete(key);
    if (!this.forgotten.has(instance)) this.forgotten.set(`${instance} ${key}`, { taskId, mapIndex, key });
  }

  forgetXComs(taskId: string, mapIndex: string): void {
    const key = keyOf(taskId, mapIndex);
    this.xcoms.delete(key);
    this.forgotten.set(key, { taskId, mapIndex });
  }

  eraseRun(): void {
    this.isErased = true;
    this.xcoms.clear();
    this.rendered.length = 0;
  }

  archiveRun(model: RunModel): void {
    this.isArchived = true;
    for (const task of this.tasks) task.dirty = false;
    model.instances.clear();
    this.tasks = [];
    this.dropped = [];
    for (const rows of [this.tries, this.approvals, this.rendered]) rows.length = 0;
    this.forgotten.clear();
    this.xcoms.clear();
  }

  setApproval(change: ApprovalChange): void {
    this.approvals.push(change);
  }

  setRendered(row: RenderedFieldsRow): void {
    this.rendered.push(row);
  }

  /** The rows as they are now. They stay the fold's own: to be written before it goes on. */
  changes(runNo: number): RunChanges {
    for (const task of this.tasks) task.dirty = false;
    const gone = new Set(this.dropped);
    const tasks: readonly InstanceRecord[] = gone.size === 0 ? this.tasks : this.tasks.filter((row) => !gone.has(row));
    return {
      runNo,
      run: this.run,
      dropped: this.dropped.map(({ taskId, mapIndex }) => ({ taskId, mapIndex })),
      tasks,
      tries: this.tries,
      forgotten: [...this.forgotten.values()],
      xcoms: [...this.xcoms.values()].flatMap((ofInstance) => [...ofInstance.values()]),
      rendered: this.rendered,
      approvals: this.approvals,
      isErased: this.isErased,
      isArchived: this.isArchived,
    };
  }
}
