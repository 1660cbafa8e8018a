import { RULES } from './naive-rules.ts';

/** A second model of groups that are retried, fallbacks and runs that are retried. It imports nothing of the domain. */
export interface NaiveTask {
  readonly id: string;
  readonly rule: string;
  readonly upstream: readonly string[];
  readonly retries: number;
  readonly fallback?: string;
}

export interface NaiveGroup {
  readonly id: string;
  readonly retries: number;
  readonly fallback?: string;
  /** Mapped so often. */
  readonly length?: number;
  readonly items: readonly NaiveItem[];
}

export type NaiveItem = NaiveTask | NaiveGroup;
export type NaiveEnd = 'success' | 'fail' | 'skip';

export interface NaivePlan {
  /** Each after all that it looks at, and a fallback right after what it stands for. */
  readonly items: readonly NaiveItem[];
  readonly runRetries: number;
  readonly mode: 'failed' | 'all';
  /** What the given execution of an instance comes to, from 1. */
  readonly outcome: (instance: string, execution: number) => NaiveEnd;
}

const isGroup = (item: NaiveItem): item is NaiveGroup => 'items' in item;
const tasksOf = (item: NaiveItem): NaiveTask[] => (isGroup(item) ? item.items.flatMap(tasksOf) : [item]);
const unitsOf = (item: NaiveItem): NaiveItem[] => (isGroup(item) ? [item, ...item.items.flatMap(unitsOf)] : [item]);

type Path = readonly number[];

/** Executes the items one after the other, as somebody would who waits for each of them. */
export class NaiveRun {
  readonly states = new Map<string, string>();
  readonly executions = new Map<string, number>();
  runTries = 1;
  private readonly plan: NaivePlan;
  private readonly units: readonly NaiveItem[];
  private readonly tasks: readonly NaiveTask[];

  constructor(plan: NaivePlan) {
    this.plan = plan;
    this.units = plan.items.flatMap(unitsOf);
    this.tasks = plan.items.flatMap(tasksOf);
    this.go();
  }

  private go(): void {
    for (let left = this.plan.runRetries; ; left--) {
      this.runAll(this.plan.items, []);
      if (!this.hasFailed || left === 0 || !this.resetRun()) return;
      this.runTries++;
    }
  }

  /** Somebody clears a task of the ended run, all its instances, and perhaps what comes after it. */
  clear(taskId: string, andDownstream: boolean): void {
    const task = this.tasks.find((each) => each.id === taskId)!;
    const chosen = [task, ...(andDownstream ? this.downstream(task) : [])];
    this.reset(chosen.flatMap((each) => this.instances(each, []).map((path) => ({ task: each, path }))));
    this.go();
  }

  get hasFailed(): boolean {
    const standing = this.units.flatMap((unit) =>
      unit.fallback === undefined ? [] : tasksOf(this.unit(unit.fallback)),
    );
    const leaves = this.tasks.filter(
      (task) =>
        !standing.includes(task) &&
        !this.tasks.some((other) => this.looksAt(other, task) && !this.isArrowToFallback(task, other)),
    );
    return leaves.some((leaf) => this.instances(leaf, []).some((path) => isBad(this.seen(leaf, path, undefined))));
  }

  key(task: NaiveTask, path: Path): string {
    return path.length === 0 ? task.id : `${task.id}[${path.join('.')}]`;
  }

  private unit(id: string): NaiveItem {
    return this.units.find((unit) => unit.id === id)!;
  }

  private looksAt(task: NaiveTask, other: NaiveTask): boolean {
    return task.upstream.includes(other.id);
  }

  private isArrowToFallback(from: NaiveTask, to: NaiveTask): boolean {
    return this.units.some(
      (unit) =>
        unit.fallback !== undefined && tasksOf(unit).includes(from) && tasksOf(this.unit(unit.fallback)).includes(to),
    );
  }

  /** Lengths of the mapped groups around it, outermost first. */
  private lengths(item: NaiveItem): number[] {
    return this.units.flatMap((unit) =>
      isGroup(unit) && unit.length !== undefined && (unit === item || unitsOf(unit).includes(item))
        ? [unit.length]
        : [],
    );
  }

  /** Paths of the instances of a task that begin as the given one does, as far as the two have groups in common. */
  private instances(task: NaiveTask, near: Path): Path[] {
    let paths: Path[] = [[]];
    for (const [level, length] of this.lengths(task).entries())
      paths = paths.flatMap((path) =>
        near[level] === undefined ? Array.from({ length }, (_, index) => [...path, index]) : [[...path, near[level]]],
      );
    return paths;
  }

  private runAll(items: readonly NaiveItem[], path: Path): void {
    for (const item of items) {
      const main = this.units.find((unit) => unit.fallback === item.id);
      if (main !== undefined && !this.isFailed(main, path)) this.skipAll(item, path);
      else if (!isGroup(item)) this.runTask(item, path);
      else if (item.length === undefined) this.runGroup(item, path);
      else for (let index = 0; index < item.length; index++) this.runGroup(item, [...path, index]);
    }
  }

  private skipAll(item: NaiveItem, path: Path): void {
    for (const task of tasksOf(item))
      for (const at of this.instances(task, path))
        if (!this.states.has(this.key(task, at))) this.states.set(this.key(task, at), 'skipped');
  }

  private runGroup(group: NaiveGroup, path: Path): void {
    const members = tasksOf(group).flatMap((task) => this.instances(task, path).map((at) => this.key(task, at)));
    // What the run's last try left as it is does not begin anew.
    if (members.every((key) => this.states.has(key))) return;
    for (let retry = 0; ; retry++) {
      this.runAll(group.items, path);
      if (retry >= group.retries || !this.isFailed(group, path, ['failed'])) return;
      for (const task of tasksOf(group))
        for (const at of this.instances(task, path)) this.states.delete(this.key(task, at));
    }
  }

  private runTask(task: NaiveTask, path: Path): void {
    const key = this.key(task, path);
    if (this.states.has(key)) return;
    const ups = task.upstream.flatMap((id) => {
      const up = this.tasks.find((each) => each.id === id)!;
      const shared = this.sharedLevels(task, up);
      return this.instances(up, path.slice(0, shared)).map((at) => this.seen(up, at, task) ?? null);
    });
    const verdict = ups.length === 0 ? 'run' : RULES[task.rule]!(ups, []);
    if (verdict === 'wait') throw new Error(`${key} waits for ever`);
    this.states.set(key, verdict === 'run' ? this.execute(key, task.retries) : verdict);
  }

  private sharedLevels(a: NaiveTask, b: NaiveTask): number {
    return this.units.filter(
      (unit) => isGroup(unit) && unit.length !== undefined && tasksOf(unit).includes(a) && tasksOf(unit).includes(b),
    ).length;
  }

  private execute(key: string, retries: number): string {
    for (let left = retries; ; left--) {
      const execution = (this.executions.get(key) ?? 0) + 1;
      this.executions.set(key, execution);
      const end = this.plan.outcome(key, execution);
      if (end !== 'fail') return end === 'skip' ? 'skipped' : 'success';
      if (left === 0) return 'failed';
    }
  }

  /** The state of an instance for who is at `viewer`; undefined: for the run. */
  private seen(task: NaiveTask, path: Path, viewer: NaiveTask | undefined): string | undefined {
    const state = this.states.get(this.key(task, path));
    if (!isBad(state)) return viewer !== undefined && this.isArrowToFallback(task, viewer) ? 'success' : state;
    const around = this.units.filter((unit) => tasksOf(unit).includes(task) && unit.fallback !== undefined);
    for (const unit of around.sort((a, b) => tasksOf(a).length - tasksOf(b).length)) {
      if (viewer !== undefined && tasksOf(unit).includes(viewer)) continue;
      if (viewer !== undefined && tasksOf(this.unit(unit.fallback!)).includes(viewer)) return 'success';
      if (this.stands(unit, path.slice(0, this.lengths(unit).length))) return 'success';
    }
    return state;
  }

  /** Something in it has failed, or could not run, for which nothing further inside stands. */
  private isFailed(unit: NaiveItem, path: Path, states = ['failed', 'upstream_failed']): boolean {
    return tasksOf(unit).some((task) =>
      this.instances(task, path).some((at) => {
        if (!states.includes(this.states.get(this.key(task, at)) ?? '')) return false;
        const inner = unitsOf(unit).filter(
          (each) => each !== unit && each.fallback !== undefined && tasksOf(each).includes(task),
        );
        return !inner.some((each) => this.stands(each, at.slice(0, this.lengths(each).length)));
      }),
    );
  }

  /** It has failed, and its fallback has succeeded. */
  private stands(unit: NaiveItem, path: Path): boolean {
    if (unit.fallback === undefined || !this.isFailed(unit, path)) return false;
    const fallback = this.unit(unit.fallback);
    if (this.isFailed(fallback, path)) return this.stands(fallback, path);
    return tasksOf(fallback).some((task) =>
      this.instances(task, path).some((at) => this.states.get(this.key(task, at)) === 'success'),
    );
  }

  /** Takes back what the next try of the run begins with; false: nothing is worth another try. */
  private resetRun(): boolean {
    const all = this.tasks.flatMap((task) => this.instances(task, []).map((path) => ({ task, path })));
    const worth = ({ task, path }: (typeof all)[number]): boolean => this.states.get(this.key(task, path)) === 'failed';
    if (this.plan.mode === 'all') {
      if (!all.some(worth)) return false;
      this.states.clear();
      return true;
    }
    const bad = all.filter(
      ({ task, path }) => isBad(this.states.get(this.key(task, path))) && isBad(this.seen(task, path, undefined)),
    );
    if (!bad.some(worth)) return false;
    const chosen = [...bad];
    for (const { task, path } of bad)
      for (const after of this.downstream(task))
        for (const at of this.instances(after, path.slice(0, this.sharedLevels(task, after))))
          chosen.push({ task: after, path: at });
    this.reset(chosen);
    return true;
  }

  /** With the fallbacks of all that is taken back. */
  private reset(first: readonly { readonly task: NaiveTask; readonly path: Path }[]): void {
    const chosen = new Map(first.map((each) => [this.key(each.task, each.path), each]));
    const add = (task: NaiveTask, near: Path): void => {
      for (const path of this.instances(task, near)) chosen.set(this.key(task, path), { task, path });
    };
    for (const { task, path } of chosen.values())
      for (const unit of this.units)
        if (unit.fallback !== undefined && tasksOf(unit).includes(task))
          for (const other of tasksOf(this.unit(unit.fallback))) add(other, path.slice(0, this.lengths(unit).length));
    for (const key of chosen.keys()) this.states.delete(key);
  }

  private downstream(task: NaiveTask): Set<NaiveTask> {
    const found = new Set<NaiveTask>();
    const visit = (at: NaiveTask): void => {
      for (const other of this.tasks)
        if (this.looksAt(other, at) && !found.has(other)) {
          found.add(other);
          visit(other);
        }
    };
    visit(task);
    return found;
  }
}

const isBad = (state: string | undefined): boolean => state === 'failed' || state === 'upstream_failed';
