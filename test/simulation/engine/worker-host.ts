import type { Assignment, AttemptOutcome, WaitAnswer } from '@rondo/domain';
import type {
  CallbackAssignment,
  LeaseTerm,
  ParseResult,
  WatchAssignment,
  WorkerEvents,
  WorkerReport,
  WorkerSession,
} from '@rondo/ports';
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What the bodies of a workload do. */
export interface Script {
  /** What the attempt comes to, and after how long. */
  body(assignment: Assignment): { readonly outcome: AttemptOutcome | 'crash'; readonly durationMs: number };
}

/** Told what bodies do, outside of the platform. */
export interface OutsideLog {
  begun(worker: string, assignment: Assignment): void;
  ended(worker: string, id: string, how: string): void;
}

interface Body {
  readonly assignment: Assignment;
  readonly startedAt: number;
  lease: string | undefined;
  cancelTimers: (() => void)[];
  ending: { readonly as: 'cancelled' | 'lost'; readonly reason: string } | undefined;
}

/** After how long a body that goes on is reported to have started. */
const STARTED_MS = 300;
/** How soon after its parent a child is gone. */
const ORPHAN_MS = 50;

/**
 * The machine of a worker: its journal, its warden, and the bodies that run, which go on while the worker's process stands still.
 */
export class WorkerHost {
  readonly name: string;
  readonly slots: number;
  readonly begun = new Set<string>();
  readonly finished = new Map<string, WorkerReport>();
  readonly bodies = new Map<string, Body>();
  readonly time: VirtualTime;
  readonly dice: Dice;
  readonly script: Script;
  readonly log: OutsideLog;

  constructor(name: string, slots: number, time: VirtualTime, dice: Dice, script: Script, log: OutsideLog) {
    this.name = name;
    this.slots = slots;
    this.time = time;
    this.dice = dice.fork(`bodies of ${name}`);
    this.script = script;
    this.log = log;
  }

  /** The journal is on its disk: what a process had begun was interrupted when another one starts. */
  session(machine: Machine): WorkerSession {
    for (const id of this.bodies.keys()) this.end(id, 'killed at the start of the worker');
    machine.onDeath(() => {
      for (const [id, body] of this.bodies)
        this.time.after(this.dice.between(0, ORPHAN_MS), () => {
          if (this.bodies.get(id) === body) this.end(id, 'its parent is gone');
        });
    });
    return new Session(this, machine);
  }

  /** False: it had ended. */
  end(id: string, how: string): boolean {
    const body = this.bodies.get(id);
    if (body === undefined) return false;
    this.bodies.delete(id);
    for (const cancel of body.cancelTimers) cancel();
    this.log.ended(this.name, id, how);
    return true;
  }
}

class Session implements WorkerSession {
  private readonly host: WorkerHost;
  private readonly machine: Machine;
  private readonly interrupted: readonly string[];
  private events: WorkerEvents | undefined;
  private readonly queue: { readonly assignment: Assignment; readonly lease: string | undefined }[] = [];
  private readonly leases = new Map<string, number>();
  private readonly wardens = new Map<string, () => void>();
  private readonly watches = new Map<string, () => void>();
  private readonly callbacks = new Set<string>();
  private isStopping = false;

  constructor(host: WorkerHost, machine: Machine) {
    this.host = host;
    this.machine = machine;
    this.interrupted = [...host.begun];
    machine.onDeath(() => this.wardens.forEach((cancel) => cancel()));
  }

  start(events: WorkerEvents): Promise<void> {
    this.events = events;
    const { name, slots, finished } = this.host;
    events.onHello({
      worker: name,
      slots,
      queues: ['*'],
      running: [],
      interrupted: this.interrupted,
      journalIntact: true,
    });
    if (finished.size > 0) events.onReports([...finished.values()]);
    return Promise.resolve();
  }

  assign(assignments: readonly Assignment[], lease?: string): void {
    if (this.isStopping) return;
    const { bodies, finished } = this.host;
    for (const assignment of assignments) {
      const { id } = assignment;
      if (bodies.has(id) || this.queue.some((each) => each.assignment.id === id)) continue;
      const report = finished.get(id);
      if (report !== undefined) this.report(report);
      else this.queue.push({ assignment, lease });
    }
    this.pump();
  }

  /** The warden is a process of its own: what runs under a lease dies with it, whatever this one does. */
  renew(leases: readonly LeaseTerm[]): void {
    const { time, bodies } = this.host;
    for (const { lease, until } of leases) {
      this.leases.set(lease, until);
      this.wardens.get(lease)?.();
      const kill = (): void => {
        for (const [id, body] of bodies)
          if (body.lease === lease) this.killed(id, body, 'the warden ended it with its lease');
      };
      this.wardens.set(lease, time.after(until - time.now, kill));
    }
  }

  relet(ids: readonly string[], lease: string): void {
    for (const id of ids) {
      const body = this.host.bodies.get(id);
      if (body !== undefined) body.lease = lease;
      const at = this.queue.findIndex((each) => each.assignment.id === id);
      if (at >= 0) this.queue[at] = { assignment: this.queue[at]!.assignment, lease };
    }
  }

  private pump(): void {
    const { host, machine } = this;
    const free = host.slots - host.bodies.size;
    for (const { assignment, lease } of this.queue.splice(0, Math.max(0, free))) {
      const until = lease === undefined ? Infinity : (this.leases.get(lease) ?? -Infinity);
      if (host.time.now < until) this.begin(assignment, lease);
      else machine.after(1, () => this.report(lostOf(assignment.id, machine, 'its lease was over before it began')));
    }
  }

  private begin(assignment: Assignment, lease: string | undefined): void {
    const { host, machine } = this;
    const { id } = assignment;
    const { outcome, durationMs } = host.script.body(assignment);
    host.begun.add(id);
    const body: Body = { assignment, startedAt: machine.clock.now(), lease, cancelTimers: [], ending: undefined };
    host.bodies.set(id, body);
    host.log.begun(host.name, assignment);
    body.cancelTimers.push(host.time.after(durationMs, () => this.finish(id, body, outcome)));
    const started = { kind: 'started', id, at: body.startedAt, pid: 42 } as const;
    body.cancelTimers.push(machine.after(STARTED_MS, () => this.events?.onReports([started])));
  }

  /** The body has come to its end: the process hears of it when it can. */
  private finish(id: string, body: Body, outcome: AttemptOutcome | 'crash'): void {
    if (outcome === 'crash') {
      const error = { kind: 'exit', message: 'exit code 137', exitCode: 137 } as const;
      this.over(id, body, 'crashed', { kind: 'failed', error, retryable: true, callbacksRan: false });
    } else this.over(id, body, outcome.kind, outcome);
  }

  private over(id: string, body: Body, how: string, outcome: AttemptOutcome): void {
    const { host, machine } = this;
    host.end(id, how);
    machine.enter(() => {
      const { startedAt, ending } = body;
      const at = machine.clock.now();
      if (ending?.as === 'lost') this.record(lostOf(id, machine, ending.reason));
      else if (ending !== undefined) this.record(cancelledOf(id, startedAt, at, ending.reason));
      else this.record({ kind: 'finished', id, startedAt, at, pid: 42, outcome });
    });
  }

  private killed(id: string, body: Body, how: string): void {
    if (!this.host.end(id, how)) return;
    this.machine.enter(() => this.record(lostOf(id, this.machine, body.ending?.reason ?? how)));
  }

  /** In the journal before it is said. */
  private record(report: WorkerReport): void {
    this.host.begun.delete(report.id);
    this.host.finished.set(report.id, report);
    this.report(report);
    this.pump();
  }

  private report(report: WorkerReport): void {
    this.events?.onReports([report]);
  }

  cancel(ids: readonly string[], reason: string, as: 'cancelled' | 'lost' = 'cancelled'): void {
    const { host, machine } = this;
    for (const id of ids) {
      const at = this.queue.findIndex((each) => each.assignment.id === id);
      if (at >= 0) {
        this.queue.splice(at, 1);
        const now = machine.clock.now();
        this.report(as === 'lost' ? lostOf(id, machine, reason) : cancelledOf(id, now, now, reason));
        continue;
      }
      const body = host.bodies.get(id);
      if (body === undefined || body.ending !== undefined) continue;
      body.ending = { as, reason };
      const grace = host.dice.delay(50, 2_500);
      body.cancelTimers.push(host.time.after(grace, () => this.over(id, body, `cancelled: ${reason}`, SUCCESS)));
    }
  }

  watch(watches: readonly WatchAssignment[]): void {
    for (const { id, wait } of watches) {
      if (this.watches.has(id)) continue;
      // However many legs were lost on the way.
      const answer: WaitAnswer = { kind: 'met', payload: { value: id.lastIndexOf('.') } };
      const everyMs = wait.kind === 'poll' ? wait.everyMs : 1_000;
      const cancel = this.machine.after(everyMs * 3, () => {
        this.watches.delete(id);
        this.report({ kind: 'waited', id, at: this.machine.clock.now(), answer });
      });
      this.watches.set(id, cancel);
    }
  }

  unwatch(ids: readonly string[]): void {
    for (const id of ids) {
      this.watches.get(id)?.();
      this.watches.delete(id);
    }
  }

  runCallbacks(callbacks: readonly CallbackAssignment[]): void {
    for (const { id } of callbacks) {
      if (this.callbacks.has(id)) continue;
      this.callbacks.add(id);
      this.machine.after(200, () => {
        this.callbacks.delete(id);
        this.report({ kind: 'callback', id, at: this.machine.clock.now() });
      });
    }
  }

  acknowledge(ids: readonly string[]): void {
    for (const id of ids) if (!this.host.finished.delete(id)) this.host.begun.delete(id);
  }

  parse(): Promise<ParseResult> {
    throw new Error('nothing is parsed here');
  }

  async stop(graceMs: number): Promise<void> {
    this.isStopping = true;
    this.queue.length = 0;
    await this.machine.sleep(graceMs);
    for (const id of this.host.bodies.keys()) this.host.end(id, 'the worker was stopped');
    this.events = undefined;
  }
}

const SUCCESS: AttemptOutcome = { kind: 'success' };

const lostOf = (id: string, machine: Machine, reason: string): WorkerReport => ({
  kind: 'lost',
  id,
  at: machine.clock.now(),
  reason,
});

function cancelledOf(id: string, startedAt: number, at: number, reason: string): WorkerReport {
  const error = { kind: 'cancelled', message: reason } as const;
  return { kind: 'finished', id, startedAt, at, pid: 42, outcome: { kind: 'failed', error, retryable: false } };
}
