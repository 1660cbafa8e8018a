import {
  admit,
  admitAwaited,
  advance,
  closeRun,
  DagDecision,
  decideBackfill,
  Decision,
  DEFAULT_WINDOW,
  pastOf,
  requestAssetRuns,
  evolveRun,
  reviseSummary,
  summarise,
  tasksThatPassed,
  tick,
  wakeForPast,
  type DagEvent,
  type DagRunEvent,
  type DecisionContext,
  type RunPlan,
  type RunSummary,
} from '@rondo/domain';
import type { AppendRequest, Ids, NewEvent } from '@rondo/ports';
import { assetRequests, type Success } from './asset-updates.ts';
import type { Blame, DagActor, RunActor } from './actors.ts';
import { keyIdOf } from '../erasure/tokens.ts';
import { dagStream, envelope, runStream, type Cause } from './envelope.ts';
import { awaitedInQueue, byDate, waitingAfter, waitingRuns } from './followers.ts';

/** Data and metadata of one request together stay under this (I7); what is more goes on in the next request of the chain. */
const REQUEST_BYTES = 900_000;

/** Gives the actor of a run that was admitted just now. */
export type StartRun = (runId: string, version: string) => RunActor;

export interface RunWork {
  readonly actor: RunActor;
  readonly decision: Decision;
  cause: Cause;
  /** Events up to here have their envelope. */
  sealed: number;
  /** Events up to here have been told to the runs that wait for this one. */
  told: number;
  /** In their envelope, not yet in the chain. */
  pending: NewEvent[];
  /** Successes among them that updated assets. */
  updates: Success[];
}

export interface BatchOptions {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly ids: Ids;
  readonly planOf: (version: string) => RunPlan | undefined;
  readonly blame?: Blame;
  readonly maxMapLength?: number | undefined;
  /** Every run is sealed, whatever its DAG says (I14). */
  readonly sealsAll?: boolean | undefined;
}

/**
 * The decisions of one batch about one DAG and its runs, in the order in which they must be written: the DAG's stream
 * before the runs that it starts (I4), a run's end before its closing in the DAG's stream.
 */
export class DagBatch {
  readonly actor: DagActor;
  readonly decision: DagDecision;
  readonly runs = new Map<string, RunWork>();
  readonly chain: AppendRequest[] = [];
  /** Every run event of the batch, with its run, in the order of the chain. */
  readonly runEvents: { readonly run: RunActor; readonly event: DagRunEvent }[] = [];
  private readonly now: number;
  private readonly ids: Ids;
  private readonly planOf: (version: string) => RunPlan | undefined;
  /** The request of a run that was written last; others may stand beside it. */
  private lastRun: AppendRequest | undefined;
  /** What was decided about a run may rely on what was decided about another one just before: written in order. */
  private reliesOnPast = false;
  private dagSealed = 0;
  private dagPending: NewEvent[] = [];
  private dagCause: Cause;
  private readonly blame: Blame;
  private readonly maxMapLength: number | undefined;

  constructor(actor: DagActor, { now, ids, planOf, blame = {}, maxMapLength, sealsAll }: BatchOptions) {
    this.blame = blame;
    this.actor = actor;
    this.decision = new DagDecision(actor.state, now, sealsAll);
    this.now = now;
    this.ids = ids;
    this.planOf = planOf;
    this.maxMapLength = maxMapLength;
    this.dagCause = { causationId: 'timetable', actor: 'schedule:timetable' };
  }

  get dagEvents(): readonly DagEvent[] {
    return this.decision.events;
  }

  /** What the DAG decides from here on has this cause. */
  setDagCause(cause: Cause): void {
    this.sealDag();
    this.dagCause = cause;
  }

  /** The decision about a run in this batch; events from here on carry the cause. */
  work(actor: RunActor, cause: Cause): RunWork {
    const known = this.runs.get(actor.runId);
    if (known !== undefined) {
      if (known.cause.causationId !== cause.causationId) {
        this.sealRun(known);
        known.cause = cause;
      }
      return known;
    }
    const decision = new Decision(actor.state, this.contextOf(actor));
    const work: RunWork = { actor, decision, cause, sealed: 0, told: 0, pending: [], updates: [] };
    this.runs.set(actor.runId, work);
    return work;
  }

  /** The run goes on as this actor: the same history over another version. What the batch has decided about it stays. */
  exchange(actor: RunActor): void {
    const known = this.runs.get(actor.runId);
    this.actor.runs.set(actor.runId, actor);
    if (known === undefined) return;
    for (const event of known.decision.events) evolveRun(actor.state, event);
    const decision = new Decision(actor.state, this.contextOf(actor));
    decision.events.push(...known.decision.events);
    actor.revision = known.actor.revision;
    this.runs.set(actor.runId, { ...known, actor, decision });
    for (const [at, { run, event }] of this.runEvents.entries())
      if (run === known.actor) this.runEvents[at] = { run: actor, event };
  }

  contextOf({ runId, state: { plan } }: RunActor): DecisionContext {
    const { state } = this.actor;
    return {
      now: this.now,
      window: DEFAULT_WINDOW,
      ...(this.maxMapLength === undefined ? {} : { maxMapLength: this.maxMapLength }),
      get paused() {
        return state.paused || state.held.has(runId);
      },
      get isHeld() {
        return state.held.has(runId);
      },
      get isDagPaused() {
        return state.paused;
      },
      pastOf: (task) => {
        this.reliesOnPast = true;
        return pastOf(state, runId, plan, task, (id) => this.openPast(id));
      },
    };
  }

  /** A run in memory, at the revision that its stream has once this batch's decisions so far are written. */
  private openPast(runId: string): { readonly state: RunActor['state']; readonly revision: number } | undefined {
    const run = this.actor.runs.get(runId);
    if (run === undefined) return undefined;
    const work = this.runs.get(runId);
    const unwritten = work === undefined ? 0 : work.pending.length + work.decision.events.length - work.sealed;
    return { state: run.state, revision: run.revision + unwritten };
  }

  /**
   * Carries the DAG and its touched runs as far as they go: due runs, admissions, starts, attempts, ends, and what the place of
   * an ended run lets in.
   */
  settle(start: StartRun, isQuarantined: (runId: string) => boolean = () => false): void {
    this.onPauseChange();
    tick(this.decision, (runId) => this.clearable(runId, isQuarantined));
    this.reprocess();
    this.followDag();
    for (;;) {
      this.startAdmitted(start);
      this.flushDag();
      this.advanceRuns();
      for (const work of byDate(this.actor, this.runs.values())) this.flushRun(work);
      const closed = this.closeEnded();
      if (closed) {
        requestAssetRuns(this.decision);
        admit(this.decision);
      }
      if (!this.admitAwaited() && !closed) return;
      const woken = this.followDag();
      if (!woken && !this.decision.events.slice(this.startedAdmissions).some((e) => e.type === 'RunAdmitted')) {
        this.flushDag();
        return;
      }
    }
  }

  /** A pause or its end reaches every open run: nothing new is scheduled, or everything is looked at again. */
  private onPauseChange(): void {
    const { events } = this.decision;
    const isForAll = events.some((e) => e.type === 'DagPaused' || e.type === 'DagUnpaused');
    const released = new Set(events.flatMap((e) => (e.type === 'RunReleased' ? e.data.runId : [])));
    if (!isForAll && released.size === 0) return;
    for (const run of this.actor.runs.values()) if (isForAll || released.has(run.runId)) this.work(run, this.dagCause);
  }

  private clearable(runId: string, isQuarantined: (runId: string) => boolean): 'now' | 'later' | 'never' {
    if (isQuarantined(runId)) return 'never';
    const { closed, backfills, version } = this.actor.state;
    const ended = closed.get(runId);
    if (ended?.requested !== undefined) return 'now';
    const wanted = backfills.current?.spec.runOnLatestVersion === true ? version : ended?.version;
    return this.actor.runs.get(runId)?.version.plan.version === wanted ? 'now' : 'later';
  }

  /** Clears the runs that a backfill has taken just now. */
  private reprocess(): void {
    for (const event of this.decision.events.slice(this.followed))
      if (event.type === 'RunReopened') {
        const run = this.actor.runs.get(event.data.runId);
        if (run !== undefined) this.clearForBackfill(run);
      }
  }

  /** I4: also called for a run that a backfill took and whose own events do not say so yet. */
  clearForBackfill(run: RunActor): void {
    const { backfills, queued, active } = this.actor.state;
    const ref = (queued.get(run.runId) ?? active.get(run.runId))?.backfill;
    if (ref === undefined || run.state.started === undefined) return;
    decideBackfill(this.work(run, this.dagCause).decision, ref, backfills.get(ref.backfillId)?.spec.only);
  }

  private startedAdmissions = 0;
  private followed = 0;

  /** Each touched run as far as it goes, and the runs that waited for what happened in it. */
  private advanceRuns(): void {
    const due = new Set(byDate(this.actor, this.runs.values()));
    for (const work of due) {
      due.delete(work);
      this.blame.runId = work.actor.runId;
      advance(work.decision);
      delete this.blame.runId;
      const { events } = work.decision;
      const fresh = events.length > work.told;
      const followers = fresh ? waitingAfter(this.actor, work.actor.runId) : [];
      const passed = followers.length === 0 ? NOTHING : tasksThatPassed(events.slice(work.told));
      work.told = events.length;
      for (const follower of followers)
        if (wakeForPast(follower.state, passed)) due.add(this.follow(follower, work.actor.runId));
    }
  }

  /** What the DAG says of a run may change the past of the next one. True when one is to be looked at. */
  private followDag(): boolean {
    const { events } = this.decision;
    let woken = false;
    for (; this.followed < events.length; this.followed++) {
      const event = events[this.followed]!;
      const about = 'runId' in event.data ? event.data.runId : undefined;
      if (event.type !== 'DagVersionPublished' && (about === undefined || event.type === 'RunAdmitted')) continue;
      for (const run of about === undefined ? waitingRuns(this.actor) : waitingAfter(this.actor, about))
        if (wakeForPast(run.state, 'all')) {
          this.follow(run, about ?? this.actor.dagId);
          woken = true;
        }
    }
    return woken;
  }

  private admitAwaited(): boolean {
    const before = this.decision.events.length;
    for (const runId of awaitedInQueue(this.actor)) admitAwaited(this.decision, runId);
    return this.decision.events.length > before;
  }

  private follow(run: RunActor, causationId: string): RunWork {
    return this.runs.get(run.runId) ?? this.work(run, { causationId, actor: 'service:scheduler' });
  }

  private startAdmitted(start: StartRun): void {
    const { events } = this.decision;
    for (; this.startedAdmissions < events.length; this.startedAdmissions++) {
      const event = events[this.startedAdmissions]!;
      if (event.type !== 'RunAdmitted') continue;
      const { runId, version } = event.data;
      const actor = this.actor.runs.get(runId) ?? start(runId, version);
      this.actor.runs.set(runId, actor);
      this.begin(actor);
    }
  }

  /** I4: also called for a run whose admission is in the history and whose first event is not, or which goes on in its place. */
  begin(actor: RunActor): void {
    const work = this.work(actor, { causationId: this.dagCause.causationId, actor: this.dagCause.actor });
    const timeout = actor.version.plan.definition.dagrunTimeoutMs;
    const deadline = timeout === undefined ? {} : { deadline: this.now + timeout };
    const { requested, backfill } = this.actor.state.active.get(actor.runId) ?? {};
    if (actor.state.started !== undefined) {
      this.clearForBackfill(actor);
      work.decision.emit({ type: 'RunResumed', data: { at: this.now, ...deadline } });
      return;
    }
    if (requested === undefined)
      throw new Error(`run '${actor.runId}' of DAG '${this.actor.dagId}' was admitted without having been requested`);
    const { runId, runType, logicalDate, dataInterval, runAfter, conf, triggeredBy, partitionKey } = requested;
    const { dagId } = this.actor;
    const { only } = actor.version;
    work.decision.emit({
      type: 'RunStarted',
      data: {
        dagId,
        runId,
        version: actor.version.plan.version,
        runType,
        logicalDate,
        dataInterval,
        runAfter,
        triggeredBy,
        at: this.now,
        ...(conf === undefined ? {} : { conf }),
        ...(partitionKey === undefined ? {} : { partitionKey }),
        ...(backfill === undefined ? {} : { backfill, runType: 'backfill', triggeredBy: 'backfill' }),
        ...(only === undefined ? {} : { only }),
        ...(requested.sealed === true ? { sealed: true as const } : {}),
        ...deadline,
      },
    });
  }

  /** Closes runs that have ended and hold nothing any more. Their own events are written before. */
  private closeEnded(): boolean {
    const { closed } = this.actor.state;
    const before = this.decision.events.length;
    for (const work of this.runs.values()) {
      const { state, runId } = work.actor;
      if (!isClosable(work.actor)) continue;
      if (!closed.has(runId))
        closeRun(this.decision, runId, state.state as 'success' | 'failed', { past: this.summaryOf(work.actor) });
      else if (work.decision.events.length > 0) reviseSummary(this.decision, runId, this.summaryOf(work.actor));
    }
    return this.decision.events.length > before;
  }

  private summaryOf(run: RunActor): RunSummary | undefined {
    const { line, version } = this.actor.state;
    if (line.find(run.runId) === undefined) return undefined;
    return summarise(run.state, run.revision, version === undefined ? undefined : this.planOf(version));
  }

  private sealDag(): void {
    const { events } = this.decision;
    for (; this.dagSealed < events.length; this.dagSealed++)
      this.dagPending.push(this.dagEnvelope(events[this.dagSealed]!));
  }

  private dagEnvelope(event: DagEvent): NewEvent {
    const { actor, dagCause, now, ids } = this;
    const said = event.type === 'RunRequested' || event.type === 'RunNoted' ? event.data.runId : undefined;
    return envelope(event, actor.trace, dagCause, now, ids, said === undefined ? undefined : this.sealOf(said));
  }

  /** I14: the key of a run that is sealed. */
  private sealOf(runId: string): string | undefined {
    return this.actor.state.sealed.has(runId) ? keyIdOf(this.actor.dagId, runId) : undefined;
  }

  private flushDag(): void {
    this.sealDag();
    if (this.dagPending.length === 0) return;
    this.write(dagStream(this.actor.dagId), this.dagPending, this.actor);
    this.dagPending = [];
  }

  private sealRun(work: RunWork): void {
    const { events } = work.decision;
    this.blame.runId = work.actor.runId;
    const seal = this.sealOf(work.actor.runId);
    for (; work.sealed < events.length; work.sealed++) {
      const event = events[work.sealed]!;
      this.runEvents.push({ run: work.actor, event });
      if (event.type === 'TaskSucceeded' && event.data.assets !== undefined) work.updates.push(event.data);
      work.pending.push(envelope(event, work.actor.trace, work.cause, this.now, this.ids, seal));
    }
    delete this.blame.runId;
  }

  private flushRun(work: RunWork): void {
    this.sealRun(work);
    if (work.pending.length === 0) return;
    const stream = runStream(this.actor.dagId, work.actor.runId);
    const isBeside = this.lastRun !== undefined && this.lastRun === this.chain.at(-1) && !this.reliesOnPast;
    this.write(stream, work.pending, work.actor, isBeside && this.lastRun!.stream !== stream);
    this.lastRun = this.chain.at(-1);
    work.pending = [];
    for (const success of work.updates.splice(0)) this.writeAssets(work.actor, success, work.cause);
  }

  /** The updates of a run that was loaded: those that are in the history stay as they are. */
  restateAssets(run: RunActor): void {
    const cause = { causationId: 'recovery', actor: 'service:scheduler' };
    for (const success of run.updates.splice(0)) this.writeAssets(run, success, cause);
  }

  private writeAssets(run: RunActor, success: Success, cause: Cause): void {
    const { dagId } = this.actor;
    const { runId, trace } = run;
    this.chain.push(...assetRequests({ dagId, runId, trace, seal: this.sealOf(runId) }, success, cause, this.now));
  }

  /** One request, or as many as the size asks for: every prefix of a decision is a history that the next one completes. */
  private write(stream: string, events: readonly NewEvent[], head: { revision: number }, isBeside = false): void {
    let part: NewEvent[] = [];
    let bytes = 0;
    const end = (): void => {
      if (part.length === 0) return;
      const beside = isBeside && part[0] === events[0] ? { beside: true as const } : {};
      this.chain.push({ stream, expected: head.revision < 0 ? 'noStream' : head.revision, events: part, ...beside });
      head.revision += part.length;
      part = [];
      bytes = 0;
    };
    for (const event of events) {
      const size = sizeOf(event);
      if (bytes + size > REQUEST_BYTES) end();
      part.push(event);
      bytes += size;
    }
    end();
  }
}

const NOTHING: ReadonlySet<string> = new Set();

/** Sealed data is longer: by a third, and by a token for each value. */
const sizeOf = ({ data, meta, seal }: NewEvent): number =>
  (seal === undefined ? data.length : Buffer.byteLength(data) * 1.4 + 2_000) + meta.length + 100;

/** A run is closed when it has ended, no attempt of it is open and no callback is outstanding. */
export function isClosable(actor: RunActor): boolean {
  const { state, version } = actor;
  if (state.state !== 'success' && state.state !== 'failed') return false;
  if (state.open > 0 || state.callbacks > 0) return false;
  const wanted = state.state === 'success' ? 'onSuccess' : 'onFailure';
  return state.callbackReported || !version.plan.definition.callbacks.includes(wanted);
}
