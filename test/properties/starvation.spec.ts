import { array, assert, boolean, constantFrom, integer, option, property, record, type Arbitrary } from 'fast-check';
import { Admission, decideHold, leavesOf, type DagState, type InstanceState } from '@rondo/domain';
import type { ReadyOrder } from '@rondo/contracts';
import { aDefinition, aTask, RunHarness } from '@rondo/testing';
import type { RunActor } from '../../libs/application/src/scheduler/actors.ts';
import { demandOf } from '../../libs/application/src/scheduler/demand.ts';
import { effort, seed } from './effort.ts';

/** What a task says of where it runs and how often at once. */
interface TaskRow {
  readonly pool: string;
  readonly poolSlots: number;
  readonly perDag: number | null;
  readonly perRun: number | null;
  readonly mapped: number | null;
  readonly after: boolean;
}

interface Setting {
  readonly tasks: readonly TaskRow[];
  readonly window: number;
  readonly perRun: number;
  readonly perDag: number | null;
  readonly dice: readonly number[];
}

const limit = option(integer({ min: 1, max: 3 }), { freq: 2 });
const settings: Arbitrary<Setting> = record({
  tasks: array(
    record({
      pool: constantFrom('p', 'q', 'default_pool'),
      poolSlots: constantFrom(1, 1, 2),
      perDag: limit,
      perRun: limit,
      mapped: option(integer({ min: 1, max: 5 }), { freq: 2 }),
      after: boolean(),
    }),
    { minLength: 2, maxLength: 7 },
  ),
  window: integer({ min: 1, max: 3 }),
  perRun: integer({ min: 1, max: 5 }),
  perDag: option(integer({ min: 1, max: 8 })),
  dice: array(integer({ min: 0, max: 1_000_000 }), { minLength: 10, maxLength: 60, size: 'max' }),
});

/** An attempt as the model counts it, by what the DAG file says alone. */
interface Attempt {
  readonly run: number;
  readonly task: string;
}

/** Runs of one DAG, a gateway, and a second opinion of what may begin that looks at everything. */
class World {
  readonly setting: Setting;
  readonly runs: RunHarness[];
  readonly sizes: Record<string, number> = { p: 1, q: 2, default_pool: 4 };
  private readonly admission: Admission<ReadyOrder>;
  private readonly waiting = new Map<string, Attempt & { readonly inst: InstanceState }>();
  private readonly admitted = new Map<string, Attempt & { readonly inst: InstanceState; readonly order: ReadyOrder }>();
  private readonly seen: number[];

  constructor(setting: Setting) {
    this.setting = setting;
    const { tasks, perRun, perDag, window } = setting;
    const made = tasks.map(({ pool, poolSlots, perDag: ofDag, perRun: ofRun, mapped, after }, at) =>
      aTask(`t${at}`, {
        pool,
        poolSlots,
        ...(after && at > 0 ? { upstream: [`t${at - 1}`] } : {}),
        ...(ofDag === null ? {} : { maxActiveTisPerDag: ofDag }),
        ...(ofRun === null ? {} : { maxActiveTisPerDagrun: ofRun }),
        ...(mapped === null
          ? {}
          : { expand: { kind: 'product', over: [{ name: 'x', length: { kind: 'literal', length: mapped } }] } }),
      }),
    );
    const definition = aDefinition('d', made, {
      maxActiveTasks: perRun,
      ...(perDag === null ? {} : { maxActiveTasksPerDag: perDag }),
    });
    const service = { queue: () => true, executor: () => true };
    this.admission = new Admission<ReadyOrder>([], service);
    for (const [name, slots] of Object.entries(this.sizes)) this.resize(name, slots);
    this.runs = [0, 1].map((n) => RunHarness.started(definition, { window, runId: `r${n}` }));
    this.seen = this.runs.map(() => 0);
    this.settle();
  }

  step(die: number): void {
    const pick = Math.floor(die / 10);
    const at = pick % 2;
    const run = this.runs[at]!;
    const task = `t${pick % this.setting.tasks.length}`;
    switch (die % 10) {
      case 0:
        run.clear(task);
        break;
      case 1:
        run.mark(task, pick % 3 === 0 ? 'failed' : 'success');
        break;
      case 2:
        run.decide((d) => decideHold(d, { taskIds: [task] }, pick % 2 === 0));
        break;
      case 3: {
        const name = ['p', 'q', 'default_pool'][pick % 3]!;
        this.resize(name, pick % 4);
        break;
      }
      default:
        this.end(pick);
    }
    if (run.run.state === 'queued') run.resume();
    this.settle();
  }

  private resize(name: string, slots: number): void {
    this.sizes[name] = slots;
    this.admission.setPool(name, { name, slots, includeDeferred: false });
  }

  private end(pick: number): void {
    const entry = [...this.admitted][pick % Math.max(1, this.admitted.size)];
    if (entry === undefined) return;
    const [id, { run, inst, order }] = entry;
    this.admitted.delete(id);
    this.admission.release(order);
    const outcome = pick % 7 === 0 ? ('fail' as const) : ('success' as const);
    this.runs[run]!.report(this.runs[run]!.endReport(inst.task.def.taskId, outcome, order.assignment.attempt));
  }

  /** What a gateway and a worker would do until nothing moves; then nothing that could begin may wait. */
  private settle(): void {
    for (let moved = true; moved;) {
      this.publish();
      moved = this.takeBack();
      for (let order = this.admission.admit(); order !== undefined; order = this.admission.admit()) {
        const { id, attempt } = order.assignment;
        const known = this.waiting.get(id)!;
        this.waiting.delete(id);
        this.admitted.set(id, { ...known, order });
        this.runs[known.run]!.queued(attempt.taskId, attempt);
        moved = true;
      }
    }
    this.check();
  }

  private publish(): void {
    for (const [run, harness] of this.runs.entries()) {
      for (; this.seen[run]! < harness.history.length; this.seen[run]!++) {
        const event = harness.history[this.seen[run]!]!;
        if (event.type !== 'TaskScheduled') continue;
        const { taskId, mapIndex, tryNumber, leg } = event.data;
        const attempt = { dagId: 'd', runId: `r${run}`, taskId, mapIndex, tryNumber, leg };
        const id = `${run}:${taskId}[${mapIndex.join('.')}]:${tryNumber}.${leg}`;
        const inst = instancesOf(harness).find(
          (i) => i.task.def.taskId === taskId && String(i.mapIndex) === String(mapIndex),
        )!;
        if (!inst.open || inst.tryNumber !== tryNumber || inst.leg !== leg) continue;
        const scheduling = this.setting.perDag === null ? {} : { maxActiveTasksPerDag: this.setting.perDag };
        const dag = { dagId: 'd', priorities: new Map(), scheduling } as unknown as DagState;
        const demand = demandOf(dag, { runId: `r${run}`, state: harness.run } as RunActor, inst);
        this.waiting.set(id, { run, task: taskId, inst });
        this.admission.push(id, { kind: 'order', assignment: { id, attempt } as never, ...demand });
      }
    }
  }

  /** Attempts that are not to begin any more: held, cleared or marked while they waited. */
  private takeBack(): boolean {
    let moved = false;
    for (const [id, { run, inst }] of this.waiting) {
      if (inst.state === 'scheduled' && !inst.onHold) continue;
      this.waiting.delete(id);
      this.admission.remove(id);
      const harness = this.runs[run]!;
      const { taskId } = inst.task.def;
      const { mapIndex, tryNumber, leg } = inst;
      const attempt = { dagId: 'd', runId: `r${run}`, taskId, mapIndex, tryNumber, leg };
      const kind = inst.state === 'scheduled' ? ('withdrawn' as const) : ('lost' as const);
      harness.report({ kind, attempt, at: harness.now, reason: 'not now' });
      moved = true;
    }
    return moved;
  }

  private check(): void {
    const { tasks, perRun, perDag } = this.setting;
    const active = [...this.admitted.values()];
    const slots = (pool: string): number =>
      active.reduce((sum, { task }) => sum + (rowOf(tasks, task).pool === pool ? rowOf(tasks, task).poolSlots : 0), 0);
    const counts = (of: (attempt: Attempt) => boolean): number => active.filter(of).length;
    const room = ({ run, task }: Attempt): boolean => {
      const row = rowOf(tasks, task);
      return (
        slots(row.pool) + row.poolSlots <= this.sizes[row.pool]! &&
        counts((a) => a.run === run) < perRun &&
        active.length < (perDag ?? Infinity) &&
        counts((a) => a.task === task) < (row.perDag ?? Infinity) &&
        counts((a) => a.task === task && a.run === run) < (row.perRun ?? Infinity)
      );
    };
    for (const run of [0, 1]) expect(counts((a) => a.run === run)).toBeLessThanOrEqual(perRun);
    expect(active.length).toBeLessThanOrEqual(perDag ?? Infinity);
    for (const [at, row] of tasks.entries()) {
      expect(counts((a) => a.task === `t${at}`)).toBeLessThanOrEqual(row.perDag ?? Infinity);
      for (const run of [0, 1])
        expect(counts((a) => a.task === `t${at}` && a.run === run)).toBeLessThanOrEqual(row.perRun ?? Infinity);
    }
    // No idle slot: neither what is published nor what its run has not published yet could begin.
    const idle = [...this.waiting.values()].filter(room).map(({ run, task }) => `r${run} ${task}`);
    for (const [run, harness] of this.runs.entries())
      if (harness.run.state === 'running')
        for (const inst of instancesOf(harness))
          if (inst.ready && room({ run, task: inst.task.def.taskId }))
            idle.push(`r${run} ${inst.task.def.taskId}, unpublished`);
    expect(idle).toEqual([]);
  }
}

const rowOf = (tasks: readonly TaskRow[], taskId: string): TaskRow => tasks[Number(taskId.slice(1))]!;
const instancesOf = (harness: RunHarness): InstanceState[] => harness.run.tasks.flatMap((task) => [...leavesOf(task)]);

it(`lets no slot stand idle while a task could begin, whatever else is full (RONDO_SEED=${seed})`, () => {
  assert(
    property(settings, (setting) => {
      const world = new World(setting);
      for (const die of setting.dice) world.step(die);
    }),
    { numRuns: 120 * effort, seed, interruptAfterTimeLimit: 20_000 },
  );
});
