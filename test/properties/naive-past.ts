/** A task as the naive model knows it; every rule is `all_success`. */
export interface PastTask {
  readonly id: string;
  readonly upstream: readonly string[];
  readonly dependsOnPast: boolean;
  readonly waitForDownstream: boolean;
  readonly skips: boolean;
  readonly holdsSkips: boolean;
}

interface PastRun {
  readonly id: string;
  readonly date: number | null;
  readonly type: string;
  readonly ignores: boolean;
  stand: 'queued' | 'active' | 'closed';
  started: boolean;
  ended: boolean;
  readonly states: Map<string, string>;
  readonly open: Set<string>;
}

interface Seen {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What happened, read event by event in the order of the history, and what the past allowed at that place. */
export class NaivePast {
  readonly runs = new Map<string, PastRun>();
  private readonly tasks: ReadonlyMap<string, PastTask>;
  private readonly catchup: boolean;
  private readonly startDate: number | undefined;

  constructor(tasks: readonly PastTask[], catchup: boolean, startDate: number | undefined) {
    this.tasks = new Map(tasks.map((task) => [task.id, task]));
    this.catchup = catchup;
    this.startDate = startDate;
  }

  private previous(run: PastRun): PastRun | undefined {
    if (run.date === null) return undefined;
    const earlier = [...this.runs.values()].filter(
      (each) => each.date !== null && each.date < run.date! && !(this.catchup && each.type === 'manual'),
    );
    return earlier.toSorted((a, b) => b.date! - a.date!)[0];
  }

  allows(run: PastRun, task: PastTask): boolean {
    if (run.ignores || (!task.dependsOnPast && !task.waitForDownstream)) return true;
    const before = this.previous(run);
    if (before === undefined) return true;
    if (this.catchup && this.startDate !== undefined && before.date! < this.startDate) return true;
    if (before.stand === 'closed' && !before.started) return true;
    const passed = (id: string): boolean => ['success', 'skipped'].includes(before.states.get(id) ?? 'none');
    if (!passed(task.id)) return false;
    if (!task.waitForDownstream) return true;
    return [...this.tasks.values()].filter((each) => each.upstream.includes(task.id)).every((each) => passed(each.id));
  }

  private isPastOver(run: PastRun): boolean {
    return this.previous(run)?.stand === 'closed';
  }

  seeDag({ type, data }: Seen): void {
    const id = String(data['runId']);
    const run = this.runs.get(id);
    if (type === 'RunRequested')
      this.runs.set(id, {
        id,
        date: data['logicalDate'] as number | null,
        type: String(data['runType']),
        ignores: data['ignoreDependsOnPast'] === true,
        stand: 'queued',
        started: false,
        ended: false,
        states: new Map(),
        open: new Set(),
      });
    else if (type === 'RunAdmitted') run!.stand = 'active';
    else if (type === 'RunReopened') run!.stand = 'queued';
    else if (type === 'RunClosed') run!.stand = 'closed';
  }

  seeRun(runId: string, { type, data }: Seen): void {
    const run = this.runs.get(runId)!;
    const id = data['taskId'] as string;
    switch (type) {
      case 'RunStarted':
      case 'RunResumed':
        run.started = true;
        run.ended = false;
        return;
      case 'RunSucceeded':
        run.ended = true;
        return;
      case 'RunFailed':
        expect(data['reason']).not.toBe('all_tasks_deadlocked');
        run.ended = true;
        return;
      case 'TaskScheduled':
        this.begins(run, id, data);
        run.open.add(id);
        run.states.set(id, 'scheduled');
        return;
      case 'TaskSucceeded':
        if (!run.open.delete(id)) this.begins(run, id, data);
        run.states.set(id, 'success');
        return;
      case 'TaskFailed':
        run.open.delete(id);
        run.states.set(id, 'failed');
        return;
      case 'TaskAttemptClosed':
        run.open.delete(id);
        return;
      default:
        this.seeMany(run, type, data);
    }
  }

  private seeMany(run: PastRun, type: string, data: Seen['data']): void {
    const states: Readonly<Record<string, string>> = {
      TaskSkipped: 'skipped',
      TaskUpstreamFailed: 'upstream_failed',
      TaskCleared: 'none',
      TaskMarked: String(data['state']),
    };
    if (states[type] === undefined) return;
    for (const { taskId } of data['instances'] as { readonly taskId: string }[]) {
      const task = this.tasks.get(taskId)!;
      if (type === 'TaskSkipped') this.skips(run, task, data);
      if (data['attempt'] !== undefined) run.open.delete(taskId);
      run.states.set(taskId, states[type]);
    }
  }

  private begins(run: PastRun, id: string, data: Seen['data']): void {
    const where = `${run.id} ${id}`;
    expect({ where, allowed: this.allows(run, this.tasks.get(id)!) }).toEqual({ where, allowed: true });
    const past = data['past'] as { readonly runId: string } | undefined;
    if (past !== undefined) expect(past.runId).toBe(this.previous(run)?.id);
  }

  private skips(run: PastRun, task: PastTask, data: Seen['data']): void {
    const { reason } = data as { readonly reason: string };
    if (reason === 'past') {
      const skips = task.skips && this.isPastOver(run) && !this.allows(run, task);
      expect({ run: run.id, task: task.id, skips }).toEqual({ run: run.id, task: task.id, skips: true });
    } else if (reason.startsWith('trigger_rule') && task.holdsSkips) expect(this.allows(run, task)).toBe(true);
  }

  /** Nothing that could go on stands still. */
  checkQuiet(): void {
    for (const run of this.runs.values()) {
      if (run.stand !== 'active' || run.ended) continue;
      for (const task of this.tasks.values()) {
        if ((run.states.get(task.id) ?? 'none') !== 'none' || run.open.has(task.id)) continue;
        const above = task.upstream.map((id) => run.states.get(id) ?? 'none');
        const isReady = above.every((state) => state === 'success');
        const isSkipped = above.includes('skipped') && !above.some((s) => s === 'failed' || s === 'upstream_failed');
        if (!isReady && !isSkipped) continue;
        const where = `${run.id} ${task.id}`;
        const waits = !this.allows(run, task) && (isReady || task.holdsSkips);
        expect({ where, waits }).toEqual({ where, waits: true });
        expect({ where, skipIsDue: task.skips && this.isPastOver(run) }).toEqual({ where, skipIsDue: false });
      }
    }
  }
}
