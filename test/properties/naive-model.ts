import { RULES, type NaiveVerdict, type States } from './naive-rules.ts';

/**
 * The behaviour of a run written down a second time, without looking at how the domain does it: every answer is worked out
 * anew from the states of all tasks. It imports nothing of the domain, so that no mistake can be shared.
 */
export interface NaiveTask {
  readonly id: string;
  readonly upstream: readonly string[];
  readonly rule: string;
  readonly setup: boolean;
  readonly teardown: boolean;
  /** A teardown whose failure fails the run. */
  readonly mustNotFail: boolean;
  /** Decided where the run is decided, without an attempt. */
  readonly inline: boolean;
  readonly retries: number;
  readonly lostBudget: number;
}

export interface NaiveEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const FINAL = ['success', 'failed', 'skipped', 'upstream_failed', 'removed'];
const PUBLISHED = ['scheduled', 'queued', 'running', 'restarting'];
const WAITING = ['up_for_retry', 'up_for_reschedule', 'deferred'];
const MAY_START = ['none', 'up_for_retry', 'up_for_reschedule'];

export interface NaiveInstance {
  state: string;
  tryNumber: number;
  open: boolean;
  /** The highest try number that may be followed by another try. */
  allowed: number;
  lost: number;
  wakeAt: number | undefined;
  /** The next attempt is one of the same try. */
  goesOn: boolean;
  deadline: number | undefined;
  held: boolean;
  retries: number;
  /** The try that a failure was granted: fewer retries later do not take it back. */
  granted: number;
}

/** A run as its events tell it. A rule of the house that an event breaks is thrown as an error. */
export class NaiveRun {
  readonly tasks: readonly NaiveTask[];
  readonly instances = new Map<string, NaiveInstance>();
  private readonly byId: ReadonlyMap<string, NaiveTask>;
  private readonly children = new Map<string, readonly string[]>();
  private readonly after = new Map<string, ReadonlySet<string>>();
  private readonly before = new Map<string, ReadonlySet<string>>();
  private readonly farSetups = new Map<string, readonly string[]>();
  /** What each branch or short circuit skips, until the task that decided is cleared or succeeds again. */
  private readonly memory = new Map<string, ReadonlySet<string>>();
  private readonly attempts = new Set<string>();
  /** Written by a rule, one event after another: each must be what its rule says when the last is written. */
  private written: (readonly [id: string, state: string])[] = [];

  constructor(tasks: readonly NaiveTask[]) {
    this.tasks = tasks;
    this.byId = new Map(tasks.map((task) => [task.id, task]));
    for (const { id, retries } of tasks)
      this.instances.set(id, {
        state: 'none',
        tryNumber: 0,
        open: false,
        allowed: retries,
        lost: 0,
        wakeAt: undefined,
        goesOn: false,
        deadline: undefined,
        held: false,
        retries,
        granted: 0,
      });
    for (const { id } of tasks)
      this.children.set(
        id,
        tasks.filter((task) => task.upstream.includes(id)).map((task) => task.id),
      );
    for (const { id } of tasks)
      this.after.set(
        id,
        this.walk(id, (at) => this.childrenOf(at)),
      );
    for (const { id } of tasks)
      this.before.set(
        id,
        this.walk(id, (at) => this.byId.get(at)!.upstream),
      );
    for (const task of tasks) this.farSetups.set(task.id, this.farSetupsOf(task));
  }

  private childrenOf(id: string): readonly string[] {
    return this.children.get(id)!;
  }

  private walk(id: string, next: (id: string) => readonly string[]): ReadonlySet<string> {
    const found = new Set<string>();
    const visit = (at: string): void => {
      for (const to of next(at)) if (!found.has(to)) visit((found.add(to), to));
    };
    visit(id);
    return found;
  }

  /** Setups anywhere above, not directly above, that are not torn down before this task. */
  private farSetupsOf(task: NaiveTask): readonly string[] {
    if (task.teardown) return [];
    return [...this.before.get(task.id)!].filter((id) => {
      if (!this.byId.get(id)!.setup || task.upstream.includes(id)) return false;
      const teardowns = this.childrenOf(id).filter((child) => this.byId.get(child)!.teardown);
      return teardowns.length === 0 || teardowns.some((teardown) => this.after.get(task.id)!.has(teardown));
    });
  }

  private statesOf(ids: readonly string[]): States {
    return ids.map((id) => this.instances.get(id)!.state).map((state) => (FINAL.includes(state) ? state : null));
  }

  /** What its upstream, and the branches above, let a task do now. */
  verdictOf(id: string): NaiveVerdict {
    const task = this.byId.get(id)!;
    for (const skipped of this.memory.values()) if (skipped.has(id)) return 'skipped';
    if (task.upstream.length === 0 || task.rule === 'always') return 'run';
    const far = RULES['all_success']!(this.statesOf(this.farSetups.get(id)!), []);
    if (far === 'upstream_failed' || far === 'skipped') return far;
    const setups = task.upstream.filter((up) => this.byId.get(up)!.setup);
    const own = RULES[task.rule]!(this.statesOf(task.upstream), this.statesOf(setups));
    return own === 'run' && far === 'wait' ? 'wait' : own;
  }

  private mayStart(id: string, now: number): boolean {
    const { state, wakeAt, held } = this.instances.get(id)!;
    if (held) return false;
    return MAY_START.includes(state) && this.verdictOf(id) === 'run' && (wakeAt === undefined || wakeAt <= now);
  }

  /** Tasks that wait for a slot only, sorted. */
  ready(now: number): string[] {
    const ids = this.tasks.filter((task) => !task.inline).map((task) => task.id);
    return ids.filter((id) => this.mayStart(id, now)).sort();
  }

  /** Tasks that a rule would give a state to, or that would succeed without an attempt; none after a decision. */
  overlooked(now: number, paused: boolean): string[] {
    return this.tasks
      .filter(({ id }) => MAY_START.includes(this.instances.get(id)!.state))
      .filter(({ id, inline }) => {
        const verdict = this.verdictOf(id);
        return verdict === 'skipped' || verdict === 'upstream_failed' || (inline && !paused && this.mayStart(id, now));
      })
      .map((task) => task.id);
  }

  /** The counters of a run, counted. */
  count() {
    const list = [...this.instances].map(([id, inst]) => ({ id, ...inst }));
    const leaves = this.leaves();
    return {
      unfinished: list.filter((i) => !FINAL.includes(i.state)).length,
      active: list.filter((i) => PUBLISHED.includes(i.state)).length,
      scheduled: list.filter((i) => i.state === 'scheduled').length,
      open: list.filter((i) => i.open).length,
      waiting: list.filter((i) => WAITING.includes(i.state)).length,
      failedLeaves: list.filter((i) => leaves.includes(i.id) && ['failed', 'upstream_failed'].includes(i.state)).length,
    };
  }

  /** Final upstream instances of a task by state. */
  countsOf(id: string): Readonly<Record<string, number>> {
    const count: Record<string, number> = {};
    for (const state of this.statesOf(this.byId.get(id)!.upstream))
      if (state !== null) count[state] = (count[state] ?? 0) + 1;
    return count;
  }

  /** The tasks that decide the run's outcome. */
  leaves(): readonly string[] {
    const forgiven = (id: string): boolean => this.byId.get(id)!.teardown && !this.byId.get(id)!.mustNotFail;
    const ids = this.tasks.map((task) => task.id);
    const found = ids.filter((id) => !forgiven(id) && this.childrenOf(id).every(forgiven));
    return found.length > 0 ? found : ids.filter((id) => this.childrenOf(id).length === 0);
  }

  apply(event: NaiveEvent): void {
    const { type, data } = event;
    const isWritten = type === 'TaskUpstreamFailed' || (type === 'TaskSkipped' && data['attempt'] === undefined);
    if (!isWritten) this.checkWritten();
    const at = data['at'] as number;
    const taskId = data['taskId'] as string;
    switch (type) {
      case 'TaskScheduled':
        return this.publish(taskId, data['tryNumber'] as number, data['leg'] as number, at);
      case 'TaskQueued':
        return this.move(taskId, 'queued');
      case 'TaskStarted':
        return this.move(taskId, 'running');
      case 'TaskSucceeded':
        return this.succeed(taskId, data, at);
      case 'TaskFailed':
        return this.end(taskId, 'failed');
      case 'TaskRetryScheduled':
        this.end(taskId, 'up_for_retry');
        this.grant(taskId, data['retryAt'] as number);
        return;
      case 'TaskDeferred':
        this.end(taskId, 'deferred');
        return this.limit(taskId, data['deadline'] as number | undefined);
      case 'TaskResumed':
        return this.resume(taskId);
      case 'TaskRescheduled':
        this.end(taskId, 'up_for_reschedule');
        Object.assign(this.instances.get(taskId)!, { goesOn: true, wakeAt: data['until'] });
        return;
      case 'TaskLost':
        return this.lose(taskId);
      case 'TaskWithdrawn':
        if (this.instances.get(taskId)!.state !== 'scheduled') throw new Error(`${taskId} was begun, and taken back`);
        this.end(taskId, 'none');
        this.instances.get(taskId)!.goesOn = true;
        return;
      case 'TaskAttemptClosed':
        return this.end(taskId, this.instances.get(taskId)!.state === 'restarting' ? 'none' : undefined);
      case 'RunSucceeded':
      case 'RunFailed':
        return this.checkEnd(data['reason'] as string);
      case 'TaskSkipped':
      case 'TaskUpstreamFailed':
      case 'TaskCleared':
      case 'TaskMarked':
      case 'TaskHeld':
      case 'TaskReleased':
      case 'TaskRetriesSet':
        for (const range of data['instances'] as readonly { readonly taskId: string }[]) this.many(range.taskId, event);
        return;
      default:
    }
  }

  /** The run ended by itself: rightly. No DAG of these tests can be deadlocked. */
  private checkEnd(reason: string): void {
    const { unfinished, failedLeaves } = this.count();
    const expected = failedLeaves > 0 ? 'task_failure' : 'all_tasks_done';
    if (['marked', 'aborted', 'timed_out'].includes(reason)) return;
    if (unfinished > 0 || reason !== expected)
      throw new Error(`${reason}: ${unfinished} unfinished, ${failedLeaves} failed leaves`);
  }

  /** To be called when a decision is over: what its rules wrote last was right. */
  checkWritten(): void {
    for (const [id, state] of this.written) {
      const verdict = this.verdictOf(id);
      if (verdict !== state) throw new Error(`${id} was made ${state}; its rule says ${verdict}`);
    }
    this.written = [];
  }

  private many(id: string, { type, data }: NaiveEvent): void {
    const inst = this.instances.get(id)!;
    switch (type) {
      case 'TaskCleared':
        inst.allowed = inst.tryNumber + inst.retries;
        inst.lost = 0;
        inst.goesOn = false;
        inst.deadline = undefined;
        inst.wakeAt = undefined;
        this.memory.delete(id);
        inst.state = inst.open ? 'restarting' : 'none';
        return;
      case 'TaskHeld':
      case 'TaskReleased':
        inst.held = type === 'TaskHeld';
        return;
      case 'TaskRetriesSet':
        inst.allowed += (data['retries'] as number) - inst.retries;
        inst.retries = data['retries'] as number;
        return;
      case 'TaskMarked':
        return this.move(id, data['state'] as string);
      case 'TaskUpstreamFailed':
        this.written.push([id, 'upstream_failed']);
        return this.move(id, 'upstream_failed');
      default:
        if (data['attempt'] !== undefined) return this.end(id, 'skipped');
        this.written.push([id, 'skipped']);
        return this.move(id, 'skipped');
    }
  }

  private move(id: string, state: string): void {
    const inst = this.instances.get(id)!;
    inst.state = state;
    if (FINAL.includes(state)) inst.wakeAt = undefined;
  }

  private end(id: string, state: string | undefined): void {
    const inst = this.instances.get(id)!;
    if (!inst.open && inst.state !== 'deferred') throw new Error(`${id}: an end without an attempt`);
    inst.open = false;
    if (state !== undefined) this.move(id, state);
  }

  private publish(id: string, tryNumber: number, leg: number, now: number): void {
    const inst = this.instances.get(id)!;
    const attempt = `${id} ${tryNumber}.${leg}`;
    if (inst.open) throw new Error(`${attempt}: an attempt is open`);
    if (this.attempts.has(attempt)) throw new Error(`${attempt} was published before`);
    if (!this.mayStart(id, now)) throw new Error(`${attempt}: ${inst.state}, and its rule says ${this.verdictOf(id)}`);
    if (tryNumber > Math.max(inst.allowed + 1, inst.granted))
      throw new Error(`${attempt}: only ${inst.allowed + 1} tries are allowed`);
    if (tryNumber < inst.tryNumber || tryNumber > inst.tryNumber + 1)
      throw new Error(`${attempt} after try ${inst.tryNumber}`);
    if (inst.goesOn && tryNumber !== inst.tryNumber) throw new Error(`${attempt} is not try ${inst.tryNumber}`);
    if (tryNumber !== inst.tryNumber) Object.assign(inst, { lost: 0, deadline: undefined });
    inst.goesOn = false;
    this.attempts.add(attempt);
    Object.assign(inst, { open: true, tryNumber, state: 'scheduled', wakeAt: undefined });
  }

  /** A try is given up at the time that its first deferral with a limit set. */
  private limit(id: string, deadline: number | undefined): void {
    const inst = this.instances.get(id)!;
    if (inst.deadline !== undefined && inst.deadline !== deadline)
      throw new Error(`${id} is given up at ${deadline}, and was to be at ${inst.deadline}`);
    inst.deadline = deadline;
  }

  private resume(id: string): void {
    const inst = this.instances.get(id)!;
    if (inst.state !== 'deferred') throw new Error(`${id} is resumed and did not wait`);
    inst.goesOn = true;
    inst.state = 'none';
  }

  private grant(id: string, retryAt: number): void {
    const inst = this.instances.get(id)!;
    if (inst.tryNumber > inst.allowed) throw new Error(`${id}: try ${inst.tryNumber} is the last, and is retried`);
    inst.granted = inst.tryNumber + 1;
    inst.wakeAt = retryAt;
  }

  private succeed(id: string, data: NaiveEvent['data'], now: number): void {
    const inst = this.instances.get(id)!;
    if (this.byId.get(id)!.inline) {
      if (!this.mayStart(id, now)) throw new Error(`${id} succeeded at once; its rule says ${this.verdictOf(id)}`);
      inst.tryNumber = data['tryNumber'] as number;
      this.move(id, 'success');
    } else this.end(id, 'success');
    this.memory.delete(id);
    const skip = data['skip'] as
      | { readonly kind: string; readonly follow?: readonly string[]; readonly ignoreDownstreamTriggerRules?: boolean }
      | undefined;
    if (skip !== undefined) this.memory.set(id, new Set(this.skippedBy(id, skip)));
  }

  private skippedBy(
    id: string,
    skip: {
      readonly kind: string;
      readonly follow?: readonly string[];
      readonly ignoreDownstreamTriggerRules?: boolean;
    },
  ): string[] {
    if (skip.kind === 'branch') {
      const kept = new Set(skip.follow!.flatMap((to) => [to, ...this.after.get(to)!]));
      return this.childrenOf(id).filter((child) => !kept.has(child));
    }
    const below = skip.ignoreDownstreamTriggerRules === true ? [...this.after.get(id)!] : this.childrenOf(id);
    return below.filter((child) => !this.byId.get(child)!.teardown);
  }

  private lose(id: string): void {
    const inst = this.instances.get(id)!;
    this.end(id, 'none');
    inst.goesOn = true;
    inst.lost += 1;
    if (inst.lost > this.byId.get(id)!.lostBudget) throw new Error(`${id} was lost ${inst.lost} times in one try`);
  }
}
