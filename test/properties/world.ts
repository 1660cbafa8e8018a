import {
  decideApproval,
  decideHold,
  decidePriority,
  decideReport,
  decideRetries,
  leavesOf,
  nextWake,
  type AttemptRef,
  type InstanceState,
  type RunReport,
  type TriggerAnswer,
  type WaitAnswer,
} from '@rondo/domain';
import { readyOf, RunHarness, viewOf } from '@rondo/testing';
import { NaiveRun } from './naive-model.ts';
import type { Scenario } from './scenario.ts';

/** A run between a worker, a user and a network, each of which does what a die says; a second model watches. */
export class World {
  readonly scenario: Scenario;
  readonly harness: RunHarness;
  readonly naive: NaiveRun;
  private readonly sent: RunReport[] = [];
  private seen = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.harness = new RunHarness(scenario.definition, { window: scenario.window });
    this.naive = new NaiveRun(scenario.tasks);
    this.harness.start();
    this.check();
  }

  /** One step of a disturbed life; `die` is any whole number. */
  disturb(die: number): void {
    const { harness } = this;
    const pick = Math.floor(die / 16);
    const action = die % 16;
    if (action <= 6) this.progress(pick);
    else if (action === 7) this.repeat(pick);
    else if (action === 8) this.batch(pick);
    else if (action === 9) this.clear(pick);
    else if (action === 10) harness.mark(this.taskId(pick), (['success', 'failed', 'skipped'] as const)[pick % 3]!);
    else if (action === 11) harness.pause(pick % 2 === 0);
    else if (action === 12) harness.later(pick % 40_000);
    else if (action === 13) this.resume();
    else if (action === 14) this.callback(pick);
    else if (pick % 10 !== 0) this.control(pick);
    else harness.markRun(pick % 20 === 0 ? 'success' : 'failed', 'aborted');
    this.check();
  }

  /** Lets the run come to its end: everything is answered, nothing disturbs. The order of the answers is the dice's. */
  finish(dice: readonly number[]): void {
    const { harness } = this;
    harness.pause(false);
    harness.decide((d) => decideHold(d, {}, false));
    this.check();
    for (let step = 0; step < 200 * this.scenario.tasks.length + 200; step++) {
      this.resume();
      if (harness.hasEnded && harness.run.open === 0) return;
      const open = harness.openInstances;
      const deferred = this.deferred();
      const die = dice[step % dice.length] ?? 0;
      if (open.length > 0) this.end(open[die % open.length]!);
      else if (deferred.length > 0) this.answer(deferred[die % deferred.length]!, die);
      else {
        const wake = nextWake({ run: harness.run });
        if (wake === undefined) break;
        harness.later(Math.max(0, wake - harness.now));
      }
      this.check();
    }
    throw new Error(`the run does not end: ${JSON.stringify(harness.states)}`);
  }

  /** Both models agree on everything; called after each decision. */
  check(): void {
    const { harness, naive } = this;
    const { run, history } = harness;
    for (; this.seen < history.length; this.seen++) naive.apply(history[this.seen]! as never);
    naive.checkWritten();
    expect(harness.states).toEqual(Object.fromEntries([...naive.instances].map(([id, inst]) => [id, inst.state])));
    const { unfinished, active, scheduled, open, waiting, failedLeaves } = run;
    expect({ unfinished, active, scheduled, open, waiting, failedLeaves }).toEqual(naive.count());
    for (const { plan } of run.tasks) {
      const naiveCounts = naive.countsOf(plan.def.taskId);
      const { success, failed, upstreamFailed, skipped } = harness.instance(plan.def.taskId).gate.counts;
      expect([success, failed, upstreamFailed, skipped]).toEqual(
        ['success', 'failed', 'upstream_failed', 'skipped'].map((state) => naiveCounts[state] ?? 0),
      );
    }
    if (run.state !== 'running') return;
    expect(naive.overlooked(harness.now, harness.paused)).toEqual([]);
    expect(readyOf(run)).toEqual(naive.ready(harness.now));
    // Whatever has not started can say why; one instance after another is asked.
    const asked = this.taskId(history.length);
    expect(harness.explain(asked).filter((reason) => !reason.passed)).not.toEqual([]);
  }

  /** The history, read back, is the run in memory; nothing is left to be decided. */
  checkReplay(): void {
    const { harness } = this;
    const { definition } = this.scenario;
    const { now, paused, window, history } = harness;
    const back = new RunHarness(definition, { now, paused, window, history });
    expect(viewOf(back.run)).toEqual(viewOf(harness.run));
    back.decide(() => undefined);
    expect(back.last).toEqual([]);
    if (back.run.state === 'running') expect(readyOf(back.run)).toEqual(readyOf(harness.run));
  }

  private taskId(pick: number): string {
    const { tasks } = this.scenario;
    return tasks[pick % tasks.length]!.id;
  }

  private deferred(): readonly InstanceState[] {
    return this.harness.run.tasks.flatMap((task) => [...leavesOf(task)].filter((i) => i.state === 'deferred'));
  }

  private attemptOf(inst: InstanceState): AttemptRef {
    return this.harness.attempt(inst.task.def.taskId);
  }

  /** Some open attempt goes a stage on; a stage may be left out. */
  private progress(pick: number): void {
    const { harness } = this;
    const open = harness.openInstances;
    const deferred = this.deferred();
    if (open.length === 0 && deferred.length > 0) return this.answer(deferred[pick % deferred.length]!, pick);
    const inst = open[pick % open.length];
    if (inst === undefined) return;
    const attempt = this.attemptOf(inst);
    const stage = pick % 4;
    if (stage === 0) this.send({ kind: 'queued', attempt, at: harness.now, executor: 'local', worker: 'w1' });
    else if (stage === 1)
      this.send({ kind: 'started', attempt, at: harness.now, queuedAt: harness.now, executor: 'local', worker: 'w1' });
    else this.end(inst);
  }

  private endReport(inst: InstanceState): RunReport {
    const attempt = this.attemptOf(inst);
    return this.harness.endReport(attempt.taskId, this.scenario.outcomeOf(attempt), attempt);
  }

  private end(inst: InstanceState): void {
    this.send(this.endReport(inst));
  }

  private send(report: RunReport): void {
    this.sent.push(report);
    this.harness.report(report);
  }

  /** A report comes once more, late: it changes nothing unless it was never told. */
  private repeat(pick: number): void {
    const report = this.sent[pick % Math.max(1, this.sent.length)];
    if (report !== undefined) this.harness.report(report);
  }

  /** Several ends, in any order, some of them twice, and old ones between, are decided in one go. */
  private batch(pick: number): void {
    const ends = this.harness.openInstances.filter((_, n) => (n + pick) % 2 === 0).map((inst) => this.endReport(inst));
    const old = this.sent.filter((_, n) => (n + pick) % 7 === 0);
    const reports = [...ends, ...old, ...ends.slice(0, 2)].sort((a, b) => keyOf(a, pick) - keyOf(b, pick));
    this.sent.push(...ends);
    this.harness.decide((d) => {
      for (const report of reports) decideReport(d, report);
    });
  }

  private clear(pick: number): void {
    const flags = { includeDownstream: pick % 2 === 0, includeUpstream: pick % 5 === 0, onlyFailed: pick % 7 === 0 };
    this.harness.clearSelection(pick % 23 === 0 ? {} : { taskIds: [this.taskId(pick)], ...flags });
  }

  /** What people set while the run goes on, and what a gateway gives back for it. */
  private control(pick: number): void {
    const { harness } = this;
    const one = { taskIds: [this.taskId(pick)] };
    switch (pick % 6) {
      case 0:
      case 1:
        harness.decide((d) => decideHold(d, pick % 30 === 0 ? {} : one, true));
        return;
      case 2:
        harness.decide((d) => decideHold(d, pick % 5 === 0 ? {} : one, false));
        return;
      case 3:
        harness.decide((d) => decideRetries(d, one, pick % 4));
        return;
      case 4:
        harness.decide((d) => decidePriority(d, one, pick % 3 === 0 ? null : pick % 7));
        return;
      default: {
        const waiting = harness.openInstances.filter((i) => i.state === 'scheduled' && (i.onHold || harness.paused));
        const inst = waiting[pick % Math.max(1, waiting.length)];
        if (inst === undefined) return;
        this.send({ kind: 'withdrawn', attempt: this.attemptOf(inst), at: harness.now, reason: 'held' });
      }
    }
  }

  private resume(): void {
    if (this.harness.run.state === 'queued') this.harness.resume();
  }

  private callback(pick: number): void {
    const { harness } = this;
    const asked = harness.run.tasks.flatMap((task) => [...leavesOf(task)].filter((i) => i.callback !== undefined));
    const inst = asked[pick % Math.max(1, asked.length)];
    if (inst === undefined) return;
    const data = { at: harness.now, callback: inst.callback!, taskId: inst.task.def.taskId, mapIndex: [] };
    harness.decide((d) => d.emit({ type: 'CallbackReported', data }));
  }

  private answer(inst: InstanceState, pick: number): void {
    const answers: readonly TriggerAnswer[] = [
      { kind: 'accepted' },
      { kind: 'ended', state: pick % 2 === 0 ? 'success' : 'failed' },
      { kind: 'refused', message: 'no', alreadyExists: pick % 2 === 0 },
    ];
    const { taskId } = inst.task.def;
    if (inst.waitFor?.kind !== 'dagRun') return this.wait(inst, pick);
    if (!this.harness.answer(taskId, answers[pick % 3]!)) this.harness.answer(taskId, answers[1]!);
  }

  /** A wait is over in one of the ways; now and then an old answer comes before. */
  private wait(inst: InstanceState, pick: number): void {
    const { harness } = this;
    const { taskId } = inst.task.def;
    const attempt = this.attemptOf(inst);
    const error = { kind: 'exception', message: 'no' } as const;
    const answers: readonly WaitAnswer[] = [
      { kind: 'met' },
      { kind: 'met', payload: { value: pick }, consumed: pick },
      { kind: 'failed', error, retryable: pick % 2 === 0 },
      { kind: 'timeout' },
      { kind: 'skipped', reason: 'no' },
    ];
    if (pick % 4 === 0) harness.waited(taskId, answers[0]!, { ...attempt, leg: attempt.leg - 1 });
    if (inst.waitFor?.kind === 'approval' && pick % 3 > 0)
      harness.decide((d) => decideApproval(d, { taskId, mapIndex: [], options: ['yes'], by: 'ada' }));
    else harness.waited(taskId, answers[pick % answers.length]!);
  }
}

/** Some order that has nothing to do with the one in which the reports were made. */
function keyOf({ attempt, kind }: RunReport, pick: number): number {
  return (Number(attempt.taskId.slice(1)) * 7919 + attempt.tryNumber * 31 + kind.length + pick) % 101;
}
