import { randomUUID } from 'node:crypto';
import {
  NO_ASSETS,
  compilePlan,
  decideReport,
  evolveDag,
  evolveRun,
  findInstance,
  initialDag,
  leavesOf,
  type DagDefinition,
  type DagEvent,
  type DagRunEvent,
} from '@rondo/domain';
import { schedulingOf } from '@rondo/domain';
import { outcomeOf, type Outcome } from '@rondo/testing';
import { traceOf } from '@rondo/application';
import type { DagCommand } from '@rondo/contracts';
import { newRunActor, type DagActor, type RunActor } from '../../libs/application/src/scheduler/actors.ts';
import { DagBatch } from '../../libs/application/src/scheduler/batch.ts';
import { decideDagCommand, decideQueuedRun, decideRunCommand } from '../../libs/application/src/scheduler/commands.ts';
import { NaivePast, type PastTask } from './naive-past.ts';

const USER = { kind: 'user', name: 'ada' } as const;
const CAUSE = { causationId: 'test', actor: 'service:gateway' };

interface Written {
  readonly type: string;
  readonly data: never;
}

/** A DAG with many runs, as its scheduler drives it: batches, their history, restarts; the naive model watches. */
export class PastWorld {
  readonly model: NaivePast;
  readonly version;
  readonly streams = new Map<string, Written[]>();
  actor: DagActor;
  now = Date.UTC(2024, 0, 1);

  constructor(definition: DagDefinition, tasks: readonly PastTask[]) {
    const plan = compilePlan('v1', definition);
    this.version = { plan, version: { definition, bundle: { hash: 'b', file: 'd.ts' } } };
    this.model = new NaivePast(tasks, definition.catchup, definition.startDate);
    const published: DagEvent = {
      type: 'DagVersionPublished',
      data: { version: 'v1', file: 'd.ts', bundle: 'b', scheduling: schedulingOf(definition) },
    };
    this.streams.set('dag-d', [JSON.parse(JSON.stringify(published)) as Written]);
    this.actor = this.load();
  }

  /** One decision and what is written of it. */
  batch(change: (batch: DagBatch) => void): void {
    const batch = new DagBatch(this.actor, {
      now: this.now++,
      ids: { uuid: randomUUID },
      planOf: () => this.version.plan,
    });
    change(batch);
    batch.settle((runId) => newRunActor('d', runId, this.version));
    for (const { stream, expected, events } of batch.chain) {
      const known = this.streams.get(stream) ?? [];
      expect(expected).toBe(known.length === 0 ? 'noStream' : known.length - 1);
      this.streams.set(stream, known);
      for (const { type, data } of events) {
        const event = { type, data: JSON.parse(data) as never };
        this.checkReliance(type, event.data);
        known.push(event);
        if (stream === 'dag-d') this.model.seeDag(event);
        else this.model.seeRun(stream.slice('dagRun-d:'.length), event);
      }
    }
    for (const runId of [...this.actor.runs.keys()]) if (!this.isWanted(runId)) this.actor.runs.delete(runId);
    if (!this.actor.state.paused) this.model.checkQuiet();
  }

  /** What an instance relied on is in the history before it. */
  private checkReliance(
    type: string,
    { past }: { past?: { readonly runId: string; readonly revision: number } },
  ): void {
    if (type !== 'TaskScheduled' || past === undefined) return;
    expect(this.streams.get(`dagRun-d:${past.runId}`)!.length).toBeGreaterThan(past.revision);
  }

  private isWanted(runId: string): boolean {
    const { active, queued } = this.actor.state;
    return active.has(runId) || queued.get(runId)?.version !== undefined;
  }

  command(command: DagCommand): void {
    this.batch((batch) => this.decideCommand(batch, command));
  }

  decideCommand(batch: DagBatch, command: DagCommand): void {
    const message = { kind: 'command', commandId: randomUUID(), dagId: 'd', actor: USER, command } as const;
    if (!('runId' in command) || command.type === 'triggerRun') {
      decideDagCommand(batch, message, 'x', NO_ASSETS);
      return;
    }
    const { runId } = command as { readonly runId: string };
    const { closed, queued } = this.actor.state;
    if (!this.actor.runs.has(runId) && (closed.get(runId) ?? queued.get(runId))?.version !== undefined)
      if (this.streams.has(`dagRun-d:${runId}`)) this.actor.runs.set(runId, this.loadRun(runId));
    const run = this.actor.runs.get(runId);
    if (run !== undefined) decideRunCommand(batch, run, message);
    else if (queued.has(runId)) decideQueuedRun(batch, message, this.version, this.now);
  }

  /** Attempts that run, by run and task. */
  get open(): { readonly run: RunActor; readonly taskId: string }[] {
    return [...this.actor.runs.values()].flatMap((run) =>
      run.state.tasks.flatMap((task) =>
        [...leavesOf(task)].flatMap((i) => (i.open ? { run, taskId: task.plan.def.taskId } : [])),
      ),
    );
  }

  finish(batch: DagBatch, { runId }: RunActor, taskId: string, outcome: Exclude<Outcome, 'lost'>): void {
    const run = this.actor.runs.get(runId)!;
    const inst = findInstance(run.state, taskId, [])!;
    const attempt = { dagId: 'd', runId, taskId, mapIndex: [], tryNumber: inst.tryNumber, leg: inst.leg };
    const times = { queuedAt: this.now, startedAt: this.now, at: this.now };
    const place = { executor: 'local', worker: 'w' };
    const report = { kind: 'finished', attempt, ...times, ...place, outcome: outcomeOf(outcome) } as const;
    decideReport(batch.work(run, CAUSE).decision, report);
  }

  private load(): DagActor {
    const state = initialDag('d');
    const events = this.streams.get('dag-d')!;
    for (const event of events) evolveDag(state, event as DagEvent);
    const wakes = new Map<string, number>();
    const actor: DagActor = {
      dagId: 'd',
      state,
      trace: traceOf('d', ''),
      runs: new Map(),
      wakes,
      revision: events.length - 1,
    };
    for (const { runId, version } of [...state.active.values(), ...state.queued.values()])
      if (version !== undefined) actor.runs.set(runId, this.loadRun(runId));
    return actor;
  }

  private loadRun(runId: string): RunActor {
    const run = newRunActor('d', runId, this.version);
    for (const event of this.streams.get(`dagRun-d:${runId}`) ?? []) {
      evolveRun(run.state, event as DagRunEvent);
      run.revision++;
    }
    return run;
  }

  /** What waits for its past is told again from the history; nothing else is left to decide. */
  restart(): void {
    const waits = this.waits();
    const before = this.actor.state;
    const written = this.length;
    this.actor = this.load();
    expect(this.actor.state).toEqual(before);
    this.batch((batch) => {
      for (const run of this.actor.runs.values()) batch.work(run, CAUSE);
    });
    expect(this.length).toBe(written);
    // What was ready when its past changed is asked again when there is room for it: after a restart it waits at once.
    expect(this.waits()).toEqual(expect.arrayContaining(waits));
  }

  private waits(): string[] {
    return [...this.actor.runs.values()].flatMap((run) =>
      Array.from(run.state.past.tasks(), (task) => `${run.runId} ${task}`),
    );
  }

  private get length(): number {
    return [...this.streams.values()].reduce((sum, events) => sum + events.length, 0);
  }
}
