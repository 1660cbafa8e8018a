import type { AgentFrame, AgentHello, GatewayFrame, OwnedPartition, WorkerChannel, WorkerReport } from '@rondo/ports';
import type { Entry } from '../attempt/entry.ts';

export interface PodLinkEvents {
  onReports(link: PodLink, reports: readonly WorkerReport[]): void;
  /** What its worker has of the attempt. */
  onClaim(link: PodLink, has: 'running' | 'ended' | 'nothing'): void;
  onRoom(link: PodLink): void;
  onRefused(link: PodLink, owned: OwnedPartition): void;
  onBeat(link: PodLink, n: number): void;
  onCall(link: PodLink, call: Extract<AgentFrame, { kind: 'call' }>): void;
  onClose(link: PodLink): void;
}

/** The session with the worker in a pod, which has proved that it was made for the attempt. */
export class PodLink {
  readonly entry: Entry;
  readonly hello: AgentHello;
  offered = 0;
  /** Undefined: it has not said yet what it has. */
  claim: 'running' | 'ended' | 'nothing' | undefined;
  isWelcome = false;
  readonly #channel: WorkerChannel;
  readonly #events: PodLinkEvents;

  constructor(entry: Entry, hello: AgentHello, channel: WorkerChannel, events: PodLinkEvents) {
    this.entry = entry;
    this.hello = hello;
    this.#channel = channel;
    this.#events = events;
  }

  onFrame(frame: AgentFrame): void {
    switch (frame.kind) {
      case 'reports':
        return this.#events.onReports(this, frame.reports);
      case 'claims':
        return this.#onClaims(frame);
      case 'offer':
        this.offered = frame.slots;
        return this.#events.onRoom(this);
      case 'refused':
        return this.#events.onRefused(this, frame);
      case 'beat':
        return this.#events.onBeat(this, frame.n);
      case 'call':
        return this.#events.onCall(this, frame);
      // It was made for one attempt: these say nothing new.
      case 'hello':
      case 'parsed':
      case 'draining':
      case 'leaving':
        return;
      default:
        frame satisfies never;
    }
  }

  onClose(): void {
    this.#events.onClose(this);
  }

  send(frame: GatewayFrame): void {
    this.#channel.send(frame);
  }

  close(reason: string): void {
    this.#channel.close(reason);
  }

  #onClaims({ claims }: Extract<AgentFrame, { kind: 'claims' }>): void {
    const { id } = this.entry;
    const found = claims.find(({ running, ended }) => running.includes(id) || ended.includes(id));
    this.claim = found === undefined ? 'nothing' : found.running.includes(id) ? 'running' : 'ended';
    this.#events.onClaim(this, this.claim);
  }
}
