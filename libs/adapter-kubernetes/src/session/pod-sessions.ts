import { timingSafeEqual } from 'node:crypto';
import { parseAttemptId } from '@rondo/domain';
import type { AgentHello, OwnedPartition, WorkerChannel, WorkerReport } from '@rondo/ports';
import { Calls } from '../attempt/calls.ts';
import type { Entries } from '../attempt/entries.ts';
import type { Entry } from '../attempt/entry.ts';
import { podName } from '../attempt/names.ts';
import type { PodKeeper } from '../pod/keeper.ts';
import type { GatewaySession } from './gateway-session.ts';
import { PodLink } from './pod-link.ts';

export interface PodSessionsEvents {
  /** The attempt's result is durable. */
  isOver(name: string): boolean;
  onReports(entry: Entry, reports: readonly WorkerReport[]): void;
  onLost(entry: Entry, reason: string): void;
}

/** The sessions with workers in pods: to them the executor is a gateway, which hands each its one attempt. */
export class PodSessions {
  readonly calls: Calls;
  readonly #entries: Entries;
  readonly #gateway: GatewaySession;
  readonly #keeper: PodKeeper;
  readonly #events: PodSessionsEvents;
  readonly #installation: string;

  constructor(
    entries: Entries,
    gateway: GatewaySession,
    keeper: PodKeeper,
    events: PodSessionsEvents,
    installation: string,
  ) {
    this.#entries = entries;
    this.#gateway = gateway;
    this.#keeper = keeper;
    this.#events = events;
    this.#installation = installation;
    this.calls = new Calls((frame) => gateway.send(frame));
  }

  async accept(channel: WorkerChannel, hello: AgentHello): Promise<void> {
    const { id, token } = hello.attempt!;
    const attempt = parseAttemptId(id);
    if (attempt !== undefined && this.#events.isOver(podName(this.#installation, attempt)))
      return this.#dismiss(channel, id);
    const entry = this.#entries.get(id);
    // It tries again, and its pod may be known by then.
    if (entry === undefined) return channel.close(`attempt '${id}' is not known here`);
    try {
      entry.token ??= await this.#keeper.tokenOf(entry.name);
    } catch (error) {
      return channel.close(`the token of attempt '${id}' cannot be looked up: ${String(error)}`);
    }
    if (!isSame(entry.token, token)) return channel.close(`the token is not that of attempt '${id}'`);
    if (this.#entries.get(id) !== entry) return channel.close(`attempt '${id}' is over`);
    this.#open(entry, hello, channel);
  }

  greetAll(): void {
    for (const { link } of this.#entries) if (link !== undefined) this.#greet(link);
  }

  tell(owned: readonly OwnedPartition[]): void {
    for (const { link } of this.#entries) if (link?.isWelcome === true) link.send({ kind: 'generations', owned });
  }

  /** I2, I3: only what the owner wants begun, under a lease that is kept. */
  handOver(entry: Entry): void {
    const { link, assignment, partition } = entry;
    const generation = this.#gateway.owned.get(partition);
    if (link?.claim !== 'nothing' || link.offered < 1 || assignment === undefined || generation === undefined) return;
    if (!this.#gateway.isOwner(partition)) return;
    if (entry.report !== undefined || entry.cancelled !== undefined || !this.#gateway.isLive) return;
    entry.mayHaveBegun = true;
    link.claim = 'running';
    link.send({ kind: 'assign', partition, generation, assignments: [assignment] });
  }

  close(reason: string): void {
    for (const { link } of this.#entries) link?.close(reason);
  }

  #open(entry: Entry, hello: AgentHello, channel: WorkerChannel): void {
    const link = new PodLink(entry, hello, channel, {
      onReports: (from, reports) => this.#events.onReports(from.entry, reports),
      onClaim: (from, has) => this.#onClaim(from, has),
      onRoom: (from) => this.handOver(from.entry),
      onRefused: (_, { partition }) => void this.#gateway.owned.delete(partition),
      onBeat: (from, n) => this.#onBeat(from, n),
      onCall: (from, call) => this.calls.onCall(from, call),
      onClose: (from) => {
        if (from.entry.link === from) from.entry.link = undefined;
      },
    });
    entry.link?.close('the worker has begun another session');
    entry.link = link;
    entry.heardAt = performance.now();
    channel.listen({ onFrame: (frame) => link.onFrame(frame), onClose: () => link.onClose() });
    if (hello.interrupted.includes(entry.id)) this.#events.onLost(entry, "the pod's worker began anew");
    this.#greet(link);
  }

  #greet(link: PodLink): void {
    const { leaseMs, owned } = this.#gateway;
    if (leaseMs === undefined || link.isWelcome) return;
    link.isWelcome = true;
    link.send(this.#welcome(leaseMs));
    const all = Array.from(owned, ([partition, generation]) => ({ partition, generation }));
    if (all.length > 0) link.send({ kind: 'generations', owned: all });
    link.send({ kind: 'demand', waiting: 1 });
  }

  #welcome(leaseMs: number) {
    const { gateway, release } = this.#gateway;
    return { kind: 'welcome', gateway, release, leaseMs: leaseMs / 2 } as const;
  }

  /** It has missed that it is done. */
  #dismiss(channel: WorkerChannel, id: string): void {
    channel.listen({ onFrame: () => undefined, onClose: () => undefined });
    const { leaseMs } = this.#gateway;
    if (leaseMs === undefined) return channel.close('no gateway yet');
    channel.send(this.#welcome(leaseMs));
    channel.send({ kind: 'acknowledge', ids: [id] });
    channel.send({ kind: 'drain' });
  }

  #onBeat(link: PodLink, n: number): void {
    if (!this.#gateway.isLive) return;
    link.entry.heardAt = performance.now();
    link.send({ kind: 'beaten', n, ...this.#gateway.vouched });
  }

  /** What its worker says it has is the truth, whatever was thought. */
  #onClaim({ entry }: PodLink, has: 'running' | 'ended' | 'nothing'): void {
    entry.mayHaveBegun = has !== 'nothing';
    if (has === 'nothing') this.handOver(entry);
    else if (entry.cancelled !== undefined)
      entry.link?.send({ kind: 'cancel', ids: [entry.id], reason: entry.cancelled.reason });
  }
}

function isSame(known: string | undefined, given: string): boolean {
  const [a, b] = [Buffer.from(known ?? ''), Buffer.from(given)];
  return a.length > 0 && a.length === b.length && timingSafeEqual(a, b);
}
