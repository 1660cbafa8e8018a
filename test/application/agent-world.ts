import { AttemptCalls, WorkerAgent, type WorkerAgentOptions } from '@rondo/application';
import { attemptId, type AttemptRef } from '@rondo/domain';
import type {
  AgentFrame,
  Assignment,
  CallbackAssignment,
  GatewayChannel,
  GatewayFrame,
  GatewayLine,
  LeaseTerm,
  ParseRequest,
  ParseResult,
  WatchAssignment,
  WorkerEvents,
  WorkerHello,
  WorkerReport,
  WorkerSession,
} from '@rondo/ports';
import { fakeClock } from '@rondo/testing';

export const LEASE_MS = 30_000;

/** The gateway's end of one session, driven by hand. */
export class GatewayEnd {
  readonly sent: AgentFrame[] = [];
  isClosed = false;
  /** Answers each beat at once. */
  answersBeats = true;
  #events: Parameters<GatewayChannel['listen']>[0] | undefined;

  readonly channel: GatewayChannel = {
    peer: 'gateway',
    send: (frame) => {
      if (this.isClosed) return;
      this.sent.push(frame);
      if (frame.kind === 'beat' && this.answersBeats && this.isWelcoming) this.say({ kind: 'beaten', n: frame.n });
    },
    close: (reason) => this.close(reason),
    listen: (events) => (this.#events = events),
  };
  isWelcoming = false;

  say(frame: GatewayFrame): void {
    if (!this.isClosed) this.#events?.onFrame(frame);
  }

  close(reason = 'gone'): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#events?.onClose(reason);
  }

  /** Frames of a kind, taken out. */
  take<K extends AgentFrame['kind']>(kind: K): Extract<AgentFrame, { kind: K }>[] {
    const taken = this.sent.filter((frame) => frame.kind === kind);
    for (const frame of taken) this.sent.splice(this.sent.indexOf(frame), 1);
    return taken as Extract<AgentFrame, { kind: K }>[];
  }

  reports(): WorkerReport[] {
    return this.take('reports').flatMap(({ reports }) => reports);
  }

  /** The last offer; 0 before the first. */
  get offer(): number {
    return this.sent.findLast((frame) => frame.kind === 'offer')?.slots ?? 0;
  }
}

export class FakeLine implements GatewayLine {
  readonly address: string;
  readonly ends: GatewayEnd[] = [];
  isAway = false;
  tries = 0;
  leaseMs = LEASE_MS;

  constructor(address: string) {
    this.address = address;
  }

  get end(): GatewayEnd {
    return this.ends.at(-1)!;
  }

  async connect(): Promise<GatewayChannel> {
    this.tries++;
    if (this.isAway) throw new Error('connection refused');
    const end = new GatewayEnd();
    this.ends.push(end);
    return end.channel;
  }

  /** Welcomes the worker in the newest session, as the owner of partitions. */
  welcome(owned: Readonly<Record<number, number>> = {}): GatewayEnd {
    const { end, address, leaseMs } = this;
    end.isWelcoming = true;
    end.say({ kind: 'welcome', gateway: `name of ${address}`, release: '1', leaseMs });
    for (const { n } of end.answersBeats ? end.take('beat') : []) end.say({ kind: 'beaten', n });
    if (Object.keys(owned).length > 0) this.own(owned);
    return end;
  }

  own(owned: Readonly<Record<number, number>>): void {
    const list = Object.entries(owned).map(([partition, generation]) => ({ partition: Number(partition), generation }));
    this.end.say({ kind: 'generations', owned: list });
  }

  appendLog(): Promise<void> {
    return Promise.resolve();
  }

  fetchBundle(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  close(): Promise<void> {
    this.end?.close('the line is closed');
    return Promise.resolve();
  }
}

export interface Cancelled {
  readonly ids: readonly string[];
  readonly as: 'cancelled' | 'lost';
}

/** A worker that only writes down what it is told. */
export class FakeSession implements WorkerSession {
  hello: WorkerHello = {
    worker: 'w',
    slots: 4,
    queues: ['default'],
    running: [],
    interrupted: [],
    journalIntact: true,
  };
  readonly assigned: string[] = [];
  readonly leases = new Map<string, string | undefined>();
  readonly terms = new Map<string, number>();
  readonly cancelled: Cancelled[] = [];
  readonly acknowledged: string[] = [];
  readonly watched = new Set<string>();
  readonly callbacks: string[] = [];
  isStopped = false;
  #events: WorkerEvents | undefined;

  start(events: WorkerEvents): Promise<void> {
    this.#events = events;
    events.onHello(this.hello);
    return Promise.resolve();
  }

  assign(assignments: readonly Assignment[], lease?: string): void {
    for (const { id } of assignments) {
      this.assigned.push(id);
      this.leases.set(id, lease);
    }
  }

  renew(terms: readonly LeaseTerm[]): void {
    for (const { lease, until } of terms) this.terms.set(lease, until);
  }

  relet(ids: readonly string[], lease: string): void {
    for (const id of ids) this.leases.set(id, lease);
  }

  watch(watches: readonly WatchAssignment[]): void {
    for (const { id } of watches) this.watched.add(id);
  }

  unwatch(ids: readonly string[]): void {
    for (const id of ids) this.watched.delete(id);
  }

  runCallbacks(callbacks: readonly CallbackAssignment[]): void {
    for (const { id } of callbacks) this.callbacks.push(id);
  }

  cancel(ids: readonly string[], _reason: string, as: 'cancelled' | 'lost' = 'cancelled'): void {
    if (ids.length > 0) this.cancelled.push({ ids, as });
  }

  acknowledge(ids: readonly string[]): void {
    this.acknowledged.push(...ids);
  }

  parse(request: ParseRequest): Promise<ParseResult> {
    return Promise.resolve({ id: request.id, file: request.file, dags: [], bundleFiles: [], errors: [], output: [] });
  }

  stop(): Promise<void> {
    this.isStopped = true;
    return Promise.resolve();
  }

  report(...reports: WorkerReport[]): void {
    this.#events!.onReports(reports);
  }

  started(id: string): void {
    this.report({ kind: 'started', id, at: 1, pid: 7 });
  }

  finish(id: string): void {
    this.report(finished(id));
  }
}

export function finished(id: string): Extract<WorkerReport, { kind: 'finished' }> {
  return { kind: 'finished', id, startedAt: 1, at: 2, pid: 7, outcome: { kind: 'success' } };
}

export function attempt(taskId: string, more: Partial<Assignment> = {}): Assignment {
  const ref: AttemptRef = { dagId: 'd', runId: 'r', taskId, mapIndex: [], tryNumber: 1, leg: 1 };
  return { id: attemptId(ref), attempt: ref, ...more } as Assignment;
}

export const idOf = (taskId: string): string => attempt(taskId).id;

/** An agent with gateways at `a`, `b` and so on, on a clock that the test moves. */
export class AgentWorld {
  readonly clock = fakeClock();
  readonly session = new FakeSession();
  readonly calls = new AttemptCalls();
  readonly lines: FakeLine[];
  readonly notices: string[] = [];
  readonly agent: WorkerAgent;
  isDrained = false;
  stoodStillMs = 0;

  constructor(gateways = 1, options: Partial<WorkerAgentOptions> = {}) {
    this.lines = Array.from({ length: gateways }, (_, i) => new FakeLine('abc'[i]!));
    this.agent = new WorkerAgent({
      session: this.session,
      lines: this.lines,
      calls: this.calls,
      clock: this.clock,
      monotonic: () => this.clock.now() + this.stoodStillMs,
      boot: 'boot',
      release: '1',
      random: () => 1,
      onNotice: (text) => this.notices.push(text),
      onDrained: () => (this.isDrained = true),
      ...options,
    });
  }

  get a(): FakeLine {
    return this.lines[0]!;
  }

  get b(): FakeLine {
    return this.lines[1]!;
  }

  async start(): Promise<this> {
    await this.agent.start();
    await settled();
    return this;
  }

  /** Time passes in small steps, as it does, with all that follows from each. */
  async pass(ms: number, stepMs = 250): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(left, stepMs));
      await settled();
    }
  }

  /** The process has stood still, and no timer has had its turn yet. */
  standStill(ms: number): void {
    this.stoodStillMs += ms;
  }

  assign(line: FakeLine, partition: number, generation: number, ...assignments: readonly Assignment[]): void {
    line.end.say({ kind: 'assign', partition, generation, assignments });
  }
}

export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
