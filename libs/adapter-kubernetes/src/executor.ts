import type { AgentHello, Assignment, OwnedPartition, WorkerChannel, WorkerReport } from '@rondo/ports';
import type { Client } from './api/client.ts';
import type { Pod } from './api/objects.ts';
import { PodWatch } from './api/pod-watch.ts';
import { Entries } from './attempt/entries.ts';
import { Entry, type EndReport } from './attempt/entry.ts';
import { Making } from './attempt/making.ts';
import { identityOf, LABELS, podName } from './attempt/names.ts';
import { cancelled, failed, lost, reportOfPodEnd } from './attempt/reports.ts';
import { dueOf } from './attempt/limits.ts';
import type { Settings } from './options.ts';
import { Cleanup } from './pod/cleanup.ts';
import { PodKeeper } from './pod/keeper.ts';
import { standOf, type PodEnd } from './pod/stand.ts';
import { GatewaySession } from './session/gateway-session.ts';
import { PodSessions } from './session/pod-sessions.ts';

/** How long the last report of a pod that has ended may be on its way. */
const SETTLE_MS = 500;
const TAIL_LINES = 20;
/** Where no gateway has said it yet. */
const DEFAULT_LEASE_MS = 120_000;

/**
 * The worker that a gateway sees: hands each attempt to a pod made for it, and says of a pod that ends without a result what
 * became of it. Its memory is the cluster's: after a restart it finds its pods by their labels, and claims what has not ended.
 */
export class Executor {
  readonly #settings: Settings;
  readonly #entries = new Entries();
  readonly #ending = new AbortController();
  readonly #keeper: PodKeeper;
  readonly #watch: PodWatch;
  readonly #gateway: GatewaySession;
  readonly #cleanup: Cleanup;
  readonly #making: Making;
  readonly #sessions: PodSessions;
  #isSynced = false;
  #timer: NodeJS.Timeout | undefined;
  #sweptAt = -Infinity;

  constructor(client: Client, settings: Settings, onSession: (channel: WorkerChannel) => void, boot: string) {
    this.#settings = settings;
    this.#keeper = new PodKeeper(client, settings, this.#ending.signal);
    this.#cleanup = new Cleanup(settings, this.#keeper);
    this.#making = new Making(settings, this.#keeper, this.#ending.signal, {
      onMade: (entry, pod) => this.#onMade(entry, pod),
      onRefused: (entry, error, retryable) => this.#push(entry, failed(entry, error, retryable)),
      onCancelled: (entry) => this.#push(entry, cancelled(entry)),
    });
    const { namespace, installation, maxPods, onNotice, patience } = settings;
    this.#watch = new PodWatch({
      ...{ client, namespace, onNotice, labelSelector: `${LABELS.installation}=${installation}` },
      ...(patience === undefined ? {} : { patience }),
      onPod: (pod) => this.#onPod(pod),
      onGone: (pod) => this.#onGone(pod),
      onSynced: () => {
        this.#isSynced = true;
        this.#gateway.synced();
      },
    });
    this.#gateway = new GatewaySession({
      onSession,
      hello: () => this.#hello(boot),
      slots: maxPods,
      claims: (owned) => this.#entries.claims(owned),
      pending: () => [...this.#entries].flatMap(({ report }) => report ?? []),
      onWelcome: () => this.#sessions.greetAll(),
      onOwned: (owned) => this.#sessions.tell(owned),
      onAssign: (owned, assignments) => this.#onAssign(owned, assignments),
      onCancel: (ids, reason) => this.#onCancel(ids, reason),
      onAcknowledge: (ids) => this.#onAcknowledge(ids),
      onAnswer: (answer) => this.#sessions.calls.onAnswer(answer),
      onNotice,
    });
    this.#sessions = new PodSessions(
      this.#entries,
      this.#gateway,
      this.#keeper,
      {
        isOver: (name) => this.#cleanup.has(name),
        onReports: (entry, reports) => this.#onReports(entry, reports),
        onLost: (entry, reason) => this.#push(entry, lost(entry, reason)),
      },
      settings.installation,
    );
  }

  start(): void {
    this.#watch.start();
    this.#gateway.start();
    this.#timer = setInterval(() => this.#tick(), this.#settings.tickMs);
  }

  /** Pods go on: whoever comes next finds them. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort();
    this.#gateway.stop();
    this.#sessions.close('the gateway stops');
    await this.#watch.stop();
  }

  /** A session with a worker that was made for one attempt. */
  acceptPod(channel: WorkerChannel, hello: AgentHello): Promise<void> {
    return this.#sessions.accept(channel, hello);
  }

  #hello(boot: string): AgentHello {
    const { worker, release, maxPods, queues, namedOnly, namespace } = this.#settings;
    return {
      ...{ worker, boot, release, slots: maxPods, queues, executor: 'kubernetes' },
      labels: { namespace },
      interrupted: [],
      journalIntact: true,
      draining: false,
      attemptsOnly: true,
      ...(namedOnly ? { namedOnly: true } : {}),
    };
  }

  #onAssign(owned: OwnedPartition, assignments: readonly Assignment[]): void {
    for (const assignment of assignments) {
      const { id, attempt } = assignment;
      const known = this.#entries.get(id);
      if (known === undefined) {
        const name = podName(this.#settings.installation, attempt);
        // I1: it was over before.
        if (this.#cleanup.has(name)) continue;
        const entry = new Entry({ id, attempt, ...owned }, name, performance.now());
        entry.assignment = assignment;
        this.#entries.add(entry);
        void this.#making.make(entry);
        continue;
      }
      Object.assign(known, owned);
      known.assignment = assignment;
      if (known.report !== undefined) this.#gateway.send({ kind: 'reports', reports: [known.report] });
      else this.#sessions.handOver(known);
    }
  }

  #onCancel(ids: readonly string[], reason: string): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry === undefined || entry.report !== undefined || entry.cancelled !== undefined) continue;
      const now = performance.now();
      const isHeard = entry.link !== undefined && entry.mayHaveBegun;
      entry.cancelled = { reason, deleteAt: isHeard ? now + this.#settings.cancelMs : now };
      if (isHeard) entry.link!.send({ kind: 'cancel', ids: [id], reason });
      // It is not handed to its pod any more.
      else if (!entry.mayHaveBegun && entry.pod !== undefined) this.#push(entry, cancelled(entry));
      this.#delete(entry, isHeard);
    }
  }

  #onAcknowledge(ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry?.report === undefined) continue;
      const { link, name, pod, report } = entry;
      link?.send({ kind: 'acknowledge', ids: [id] });
      link?.send({ kind: 'drain' });
      this.#entries.remove(entry);
      if (pod === undefined || entry.isGone) continue;
      const isSuccess = report.kind === 'finished' && report.outcome.kind !== 'failed';
      this.#cleanup.add(name, pod, isSuccess ? 'success' : 'other');
    }
  }

  /** Of its own attempt alone: nothing else was handed to it. */
  #onReports(entry: Entry, reports: readonly WorkerReport[]): void {
    entry.heardAt = performance.now();
    for (const report of reports) {
      if (report.id !== entry.id) continue;
      if (report.kind === 'started') {
        entry.startedAt = report.at;
        entry.mayHaveBegun = true;
        this.#gateway.send({ kind: 'reports', reports: [report] });
      } else if (report.kind === 'finished' || report.kind === 'lost') this.#push(entry, report);
    }
  }

  #onMade(entry: Entry, pod: Pod): void {
    if (this.#entries.get(entry.id) !== entry) return;
    if (entry.pod === undefined) this.#onPod(pod);
    if (entry.cancelled !== undefined) this.#delete(entry);
  }

  #onPod(pod: Pod): void {
    const { name } = pod.metadata;
    const identity = identityOf(pod.metadata);
    if (identity === undefined) return;
    const known = this.#entries.named(name);
    if (known !== undefined) {
      known.pod = pod;
      return this.#judge(known, pod);
    }
    const stand = standOf(pod);
    // A worker leaves with success when nothing is left to tell.
    const isOver = this.#cleanup.has(name) || (stand.kind === 'ended' && stand.end.kind === 'success');
    if (isOver) return this.#cleanup.onPod(pod);
    this.#adopt(new Entry(identity, name, performance.now()), pod, stand.kind !== 'waiting');
  }

  /** Made by an earlier process, or by another gateway. */
  #adopt(entry: Entry, pod: Pod, mayHaveBegun: boolean): void {
    entry.pod = pod;
    entry.mayHaveBegun = mayHaveBegun;
    this.#entries.add(entry);
    const { owned } = this.#gateway;
    const generation = owned.get(entry.partition);
    // A later owner has made it.
    if (generation !== undefined && entry.generation > generation) owned.delete(entry.partition);
    else if (generation !== undefined && this.#isSynced)
      this.#gateway.send({
        kind: 'claims',
        claims: this.#entries.claims([{ partition: entry.partition, generation }]),
      });
    this.#judge(entry, pod);
  }

  #judge(entry: Entry, pod: Pod): void {
    const stand = standOf(pod);
    const now = performance.now();
    switch (stand.kind) {
      case 'waiting':
        entry.stuck = stand.problem;
        return;
      case 'running':
        if (!entry.isRunning) entry.heardAt = now;
        entry.isRunning = true;
        entry.stuck = undefined;
        return;
      case 'ended':
        entry.isRunning = false;
        if (stand.end.isUnseen === true && entry.mayHaveBegun) entry.unseen = stand.end.message;
        else if (this.#isMine(entry) && entry.report === undefined) void this.#conclude(entry, pod, stand.end);
    }
  }

  #onGone(pod: Pod): void {
    const { name, uid } = pod.metadata;
    const entry = this.#entries.named(name);
    if (entry === undefined) return this.#cleanup.onGone(name);
    if (entry.pod?.metadata.uid !== uid) return;
    entry.isGone = true;
    entry.unseen = 'its pod was deleted';
    this.#judge(entry, pod);
    this.#tick();
  }

  /** Its last report may still be on its way, and its last words are wanted. */
  async #conclude(entry: Entry, pod: Pod, end: PodEnd): Promise<void> {
    if (entry.report !== undefined || entry.isConcluding) return;
    entry.isConcluding = true;
    const { logs, onNotice } = this.#settings;
    if (entry.link !== undefined) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    if (entry.report !== undefined || this.#ending.signal.aborted) return;
    const words = await this.#keeper.lastWords(pod);
    if (words.length > 0)
      await logs
        ?.append(entry.attempt, words)
        .catch((error: unknown) => onNotice(`a log is not stored: ${String(error)}`));
    if (entry.report !== undefined || this.#ending.signal.aborted) return;
    const tail = words.slice(-TAIL_LINES).map(({ text }) => text);
    this.#push(entry, reportOfPodEnd(entry, end, tail));
  }

  #push(entry: Entry, report: EndReport): void {
    if (entry.report !== undefined) return;
    entry.report = report;
    this.#gateway.send({ kind: 'reports', reports: [report] });
  }

  #isMine({ partition }: Entry): boolean {
    return this.#gateway.isOwner(partition);
  }

  #tick(): void {
    const now = performance.now();
    const leaseMs = this.#gateway.leaseMs ?? DEFAULT_LEASE_MS;
    for (const entry of this.#entries) {
      if (!this.#isMine(entry)) {
        // Another gateway's: kept as long as it might have to be claimed here.
        if (entry.isGone && now - entry.heardAt >= leaseMs) this.#entries.remove(entry);
        continue;
      }
      if (!this.#isSynced) continue;
      // It may have ended while it was another gateway's.
      if (entry.pod !== undefined) this.#judge(entry, entry.pod);
      const due = entry.report === undefined ? dueOf(entry, this.#settings, leaseMs, now) : undefined;
      if (due !== undefined) this.#push(entry, due.report);
      if (due?.andDelete === true || entry.cancelled !== undefined) this.#delete(entry, due === undefined);
      else this.#sessions.handOver(entry);
    }
    this.#cleanup.tick(now);
    if (!this.#isSynced || now - this.#sweptAt < this.#settings.orphanMs) return;
    this.#sweptAt = now;
    this.#keeper.sweepSecrets(this.#watch.pods, this.#settings.orphanMs).catch(() => undefined);
  }

  /** `whenDue`: not before the cancelled attempt's time is over. */
  #delete(entry: Entry, whenDue = false): void {
    const { pod } = entry;
    if (pod === undefined || entry.isDeleting) return;
    if (whenDue && performance.now() < (entry.cancelled?.deleteAt ?? 0)) return;
    entry.isDeleting = true;
    this.#keeper.delete(pod).catch((error: unknown) => {
      entry.isDeleting = false;
      if (!this.#ending.signal.aborted)
        this.#settings.onNotice(`pod '${entry.name}' cannot be deleted: ${String(error)}`);
    });
  }
}
