import type { Connection } from '@rondo/domain';
import { failPoint } from '@rondo/kernel';
import type { LeaseTerm, LogStore, WorkerReport } from '@rondo/ports';
import {
  SERVICE_METHODS,
  type AnswerFrame,
  type CallFrame,
  type LogFrame,
  type ServiceMethod,
} from '../child/frames.ts';
import { secretsOfConnection, secretsOfVariable } from '../child/masker.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Guard } from '../warden/warden.ts';
import { Alarm } from './alarm.ts';
import type { BundleFolders } from './bundle-folders.ts';
import type { Child, ChildEvents } from './child.ts';
import { Delivery } from './delivery.ts';
import { JournalGuard } from './journal-guard.ts';
import type { Launcher } from './launcher.ts';
import { LEASE_OVER, LeaseBook } from './lease-book.ts';
import type { PoolLimits } from './limits.ts';
import { failure, type ChildEnd } from './outcomes.ts';
import { recordOf } from './processes.ts';
import { Running } from './running.ts';
import { isWorn, Staff } from './staff.ts';
import { beginEnding, sweepChild } from './sweep.ts';
import { WorkQueue, type Work } from './work.ts';

export interface PoolOptions {
  readonly limits: PoolLimits;
  readonly launcher: Launcher;
  readonly outbox: Outbox;
  readonly logs: LogStore;
  readonly bundles: BundleFolders;
  /** Texts that are masked in every log. */
  readonly secrets: readonly string[];
  readonly guard: Guard;
}

export interface PoolEvents {
  /** A report as JSON. Those of attempts are in the journal by now. */
  readonly onReport: (id: string, report: string) => void;
  /** To be answered through `answer` with the same numbers. */
  readonly onCall: (attemptId: string, child: number, call: CallFrame) => void;
  /** For who runs the platform. */
  readonly onNotice: (text: string) => void;
}

/** How long a child may take to say what its attempt has left open. */
const SETTLE_MS = 1_000;
const NOTICE_LENGTH = 1_000;
/** How long work waits before children of other bundles make way for it, and how long a bundle keeps a child that would have to be replaced. */
const PATIENCE_MS = 250;
const QUANTUM_MS = 1_000;

/** Warm child processes, and the work that waits for them. Knows nothing of who drives it. */
export class ChildPool implements ChildEvents {
  readonly #options: PoolOptions;
  readonly #limits: PoolLimits;
  readonly #events: PoolEvents;
  readonly #delivery: Delivery;
  readonly #queue = new WorkQueue();
  readonly #staff: Staff;
  readonly #journal: JournalGuard;
  readonly #running = new Map<string, Child>();
  /** Work whose bundle is being unpacked, by id, with the child that is kept for it. */
  readonly #binding = new Map<string, Child>();
  readonly #leases = new LeaseBook();
  readonly #alarm = new Alarm(() => this.#sweep());
  #isStopping = false;

  constructor(options: PoolOptions, events: PoolEvents) {
    this.#options = options;
    this.#limits = options.limits;
    this.#events = events;
    const { outbox, logs, limits, launcher, secrets } = options;
    this.#delivery = new Delivery({
      outbox,
      logs,
      maxLogBytes: limits.maxLogBytes,
      onReport: events.onReport,
      onNotice: events.onNotice,
    });
    this.#journal = new JournalGuard(outbox, this.#alarm, (text) => events.onNotice(text));
    this.#staff = new Staff({
      launcher,
      secrets,
      backlog: this.#delivery.backlog,
      alarm: this.#alarm,
      events: this,
      maxChildren: limits.maxChildren,
      onStarted: ({ pid, mark }) => {
        if (pid !== 0) {
          const group = recordOf(pid);
          outbox.childStarted(group);
          options.guard.child(group, mark);
        }
        this.#journal.commit();
      },
    });
  }

  get running(): string[] {
    return [...this.#running.keys()];
  }

  get pids(): number[] {
    return [...this.#staff].map(({ pid }) => pid);
  }

  /** Lets others note something in the journal, written at once. */
  record(note: () => void): void {
    note();
    this.#journal.commit();
  }

  /** Starts children ahead of work. */
  prestart(count: number): void {
    for (let i = 0; i < count; i++) this.#staff.start(performance.now());
  }

  /** Drops what it has seen (I1); a result that is still in the outbox is reported again. */
  submit(works: readonly Work[], lease?: string): void {
    if (this.#isStopping) return;
    const now = performance.now();
    for (const work of works) {
      if (this.#running.has(work.id) || this.#binding.has(work.id) || this.#queue.has(work.id)) continue;
      const report = this.#options.outbox.reportOf(work.id);
      if (report === undefined) {
        this.#leases.take(work.id, lease);
        this.#queue.push(work, now);
      } else this.#events.onReport(work.id, report);
    }
    this.#pump();
  }

  renew(terms: readonly LeaseTerm[]): void {
    this.#leases.renew(terms);
    this.#options.guard.renew(terms);
  }

  /** What is known of these attempts goes on under another lease. */
  relet(ids: readonly string[], lease: string): void {
    for (const id of ids) {
      if (this.#leases.leaseOf(id) === undefined) continue;
      this.#leases.take(id, lease);
      const child = this.#running.get(id);
      if (child !== undefined) this.#options.guard.busy(child.pid, lease);
    }
  }

  cancel(ids: readonly string[], reason: string, as: 'cancelled' | 'lost'): void {
    const now = performance.now();
    const kind = as === 'lost' ? 'stopped' : as;
    for (const id of ids) {
      const child = this.#running.get(id);
      if (child !== undefined) this.#alarm.by(beginEnding(child, kind, reason, this.#limits, now), now);
      else if (this.#queue.remove(id) !== undefined || this.#binding.delete(id)) this.#reportNotBegun(id, reason, as);
    }
    this.#pump();
  }

  answer(child: number, attemptId: string, method: ServiceMethod, frame: AnswerFrame): void {
    const target = this.#staff.find(child);
    if (target?.current?.work.id !== attemptId) return;
    if ('value' in frame && frame.value !== undefined) {
      if (method === 'variable') target.masker.add(secretsOfVariable(frame.value as string));
      if (method === 'connection') target.masker.add(secretsOfConnection(frame.value as Connection));
    }
    target.answer(frame);
  }

  /** Drops what waits, lets what runs finish within the grace, ends all children. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#queue.clear();
    this.#binding.clear();
    const until = performance.now() + graceMs;
    while (this.#running.size > 0 && performance.now() < until) await sleep(5);
    const now = performance.now();
    for (const child of this.#running.values()) {
      this.#alarm.by(
        beginEnding(child, 'stopped', 'the worker was stopped while the attempt was running', this.#limits, now),
        now,
      );
    }
    while (this.#running.size > 0) await sleep(5);
    this.#staff.close();
    while (this.#staff.size > 0) await sleep(5);
    await this.#delivery.settled();
    this.#alarm.stop();
  }

  onReady(child: Child): void {
    this.#staff.onReady();
    child.lastUsed = performance.now();
    this.#pump();
  }

  onFinished(child: Child, running: Running, flags: string, json: string): void {
    this.#leave(running, child.pid);
    this.#delivery.finished(running, child.masker, json, flags[1] === 'm');
    const now = performance.now();
    child.lastUsed = now;
    child.last = running;
    if (flags[0] === 'x' || child.isNoisy || running.ending !== undefined || isWorn(child, this.#limits, now)) {
      child.kill('SIGKILL');
    } else if (flags[0] === 'n') {
      child.state = 'settling';
      child.settleBy = now + SETTLE_MS;
      this.#alarm.by(child.settleBy, now);
    } else {
      child.state = 'idle';
      const next = this.#isStopping || !this.#goesOn(child, now) ? undefined : this.#takeNext(child.key!);
      // Its begin and this end go to the journal in one write.
      if (next !== undefined) return this.#hand(child, next, now);
    }
    this.#journal.commit();
    this.#pump();
  }

  onSettled(child: Child, left: readonly string[] | undefined): void {
    if (child.state !== 'settling') return;
    child.state = 'idle';
    if (left !== undefined) {
      if (child.last !== undefined)
        this.#delivery.note(
          child.last,
          child.masker,
          `The attempt left something open in its process (${left.join(', ')}): the process is replaced`,
        );
      child.kill('SIGKILL');
    }
    this.#pump();
  }

  onLog(child: Child, running: Running, line: LogFrame): void {
    this.#delivery.log(running, child.masker, line);
  }

  onOutput(
    child: Child,
    running: Running | undefined,
    stream: 'stdout' | 'stderr',
    text: string,
    cutBytes: number,
  ): void {
    if (running !== undefined) return this.#delivery.output(running, child.masker, stream, text, cutBytes);
    this.#events.onNotice(child.masker.mask(`child process ${child.pid}: ${text.slice(0, NOTICE_LENGTH)}`));
    // I16: output after the attempt's end. The report of that end may still be unread.
    if (child.state === 'busy') child.isNoisy = true;
    else if (child.served > 0) child.kill('SIGKILL');
  }

  onCall(child: Child, running: Running, call: CallFrame): void {
    if (SERVICE_METHODS.includes(call.method)) this.#events.onCall(running.work.id, child.pid, call);
    else child.answer({ n: call.n, error: `there is no service '${String(call.method)}'` });
  }

  onEnd(child: Child, end: ChildEnd): void {
    const whyNone = this.#staff.onEnd(child, end, (text) => this.#events.onNotice(text));
    if (whyNone !== undefined) this.#refuseAll(whyNone);
    if (child.bundle !== undefined) this.#options.bundles.free(child.bundle.hash);
    this.#options.outbox.childEnded(child.pid);
    this.#options.guard.gone(child.pid);
    const running = child.current;
    if (running !== undefined) {
      child.current = undefined;
      // Its warden has killed it, whatever the worker came to do.
      if (this.#leases.isOver(running.work.id))
        running.ending ??= { kind: 'stopped', reason: LEASE_OVER, stage: 'killed', nextAt: Infinity };
      this.#leave(running, child.pid);
      this.#delivery.ended(running, child.masker, end);
    }
    this.#journal.commit();
    this.#pump();
  }

  /** Gives work to children that are free, oldest first, and starts children where there are too few. */
  #pump(): void {
    if (this.#isStopping || this.#journal.isBroken) return;
    const now = performance.now();
    let free = this.#limits.slots - this.#running.size - this.#binding.size;
    let wanted = 0;
    for (const { key, at } of this.#queue.bundles()) {
      while (free > 0 && this.#place(key, now)) free--;
      if (!this.#queue.hasBundle(key)) continue;
      const isDue = !this.#staff.serves(key) && now - at > PATIENCE_MS;
      if (isDue || free > 0) wanted++;
      // Its turn has come: a child makes way for it before younger work is given to that child.
      if (isDue) this.#staff.makeRoom(wanted, now);
    }
    if (wanted > 0) this.#staff.makeRoom(Math.max(wanted, Math.min(free, this.#queue.size)), now);
    this.#staff.keepSpare(now);
  }

  /**
   * Whether a child takes its bundle's next work although another bundle's has waited longer. Changing over costs nothing
   * where a child of that bundle is idle, loading the bundle where a blank one is, and else a new process.
   */
  #goesOn(child: Child, now: number): boolean {
    const oldest = this.#queue.oldest();
    if (oldest === undefined || oldest.key === child.key) return true;
    if (this.#staff.hasIdle(oldest.key)) return false;
    if (now - oldest.at < PATIENCE_MS) return true;
    return !this.#staff.hasIdle(undefined) && now - child.busySince < QUANTUM_MS;
  }

  /** False: no child is free for the bundle, or nothing waits for it. */
  #place(key: string, now: number): boolean {
    const kept = new Set(this.#binding.values());
    const idle = [...this.#staff].filter((child) => child.state === 'idle' && !kept.has(child));
    const child = idle.find((one) => one.key === key) ?? idle.find((one) => one.key === undefined);
    const work = child === undefined ? undefined : this.#takeNext(key);
    if (child === undefined || work === undefined) return false;
    child.busySince = now;
    if (child.key === key) this.#hand(child, work, now);
    else this.#bind(child, work, now);
    return true;
  }

  #bind(child: Child, work: Work, now: number): void {
    const { hash } = work.bundle;
    const { bundles } = this.#options;
    const folder = bundles.hold(hash);
    if (folder !== undefined) {
      child.bind(work.bundle, folder);
      return this.#hand(child, work, now);
    }
    this.#binding.set(work.id, child);
    const settle = (use: () => void): void => {
      // Else it was cancelled meanwhile.
      if (this.#binding.delete(work.id)) use();
      this.#journal.commit();
      this.#pump();
    };
    bundles.open(hash).then(
      () => {
        settle(() =>
          child.state === 'idle' && !this.#leases.isOver(work.id)
            ? this.#bind(child, work, performance.now())
            : this.#queue.push(work, performance.now()),
        );
        // The child holds it by now.
        bundles.free(hash);
      },
      (error: unknown) =>
        settle(() =>
          this.#delivery.refused(
            failure(
              work,
              { kind: 'load', message: `the bundle ${hash} could not be unpacked: ${String(error)}` },
              true,
              false,
            ),
          ),
        ),
    );
  }

  #hand(child: Child, work: Work, now: number): void {
    failPoint('dispatch:before');
    if (work.kind === 'attempt') this.#options.outbox.begin(work.id);
    if (!this.#journal.commit()) return this.#queue.push(work, now);
    const running = new Running(
      work,
      child.pid,
      now,
      work.kind === 'callback' ? this.#limits.callbackTimeoutMs : work.timeoutMs,
    );
    this.#running.set(work.id, child);
    this.#options.guard.busy(child.pid, this.#leases.leaseOf(work.id));
    child.hand(running);
    failPoint('dispatch:after');
    this.#alarm.by(now + this.#limits.startedAfterMs, now);
  }

  /** The oldest of a bundle that may still begin. */
  #takeNext(key: string): Work | undefined {
    for (;;) {
      const work = this.#queue.takeOldest(key);
      if (work === undefined || !this.#leases.isOver(work.id)) return work;
      this.#reportNotBegun(work.id, LEASE_OVER, 'lost');
    }
  }

  #leave({ work }: Running, pid: number): void {
    this.#running.delete(work.id);
    this.#leases.release(work.id);
    this.#options.guard.busy(pid, undefined);
  }

  /** Never begun: nothing that a restart would have to know. */
  #reportNotBegun(id: string, reason: string, as: 'cancelled' | 'lost'): void {
    this.#leases.release(id);
    const report: WorkerReport =
      as === 'lost'
        ? { kind: as, id, at: Date.now(), reason }
        : failure({ id, kind: 'attempt' }, { kind: as, message: reason }, false);
    this.#events.onReport(id, JSON.stringify(report));
  }

  #refuseAll(reason: string): void {
    const error = { kind: 'exit', message: `no child process could be started: ${reason}` } as const;
    for (const work of this.#queue.clear()) this.#delivery.refused(failure(work, error, true, false));
  }

  /** All that happens by time: `started` reports, deadlines, the steps of an end, children that do not settle. */
  #sweep(): void {
    const now = performance.now();
    let next = Infinity;
    let present = [...this.#staff].filter(({ state }) => state !== 'ending').length;
    for (const child of this.#staff) {
      const mayRetire = present > this.#limits.slots && child.key !== undefined;
      next = Math.min(next, sweepChild(child, this.#limits, now, mayRetire, this.#events.onReport));
      if (mayRetire && child.state === 'ending') present--;
    }
    this.#alarm.by(next, now);
    if (this.#journal.isBroken && !this.#journal.commit()) return;
    if (this.#queue.size > 0) this.#pump();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
