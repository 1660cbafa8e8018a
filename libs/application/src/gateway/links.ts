import {
  ALL_QUEUES,
  type AgentFrame,
  type AgentHello,
  type GatewayFrame,
  type WorkerChannel,
  type WorkerReport,
} from '@rondo/ports';
import { Pace } from './pace.ts';

/** A worker, as long as its session lasts or may come back. */
export class Link {
  /** Attempts that it was handed and that have not ended. */
  readonly attempts = new Set<string>();
  readonly pace = new Pace();
  hello: AgentHello;
  /** Undefined: its session has closed. */
  channel: WorkerChannel | undefined;
  /** Attempts that it takes at once from this gateway. */
  offered = 0;
  isDraining = false;
  /** False: what it has is not known yet, so it is handed nothing. */
  isReady = false;
  /** Another process of the worker: what was handed to the one before and is not claimed now is lost. */
  isAnew = false;
  /** Its first frame was answered. */
  isWelcome = false;
  /** The last beat that has no answer. */
  beat: number | undefined;
  /** Partitions of which it has not said what it has, with the generation that it was told. */
  readonly unclaimed = new Map<number, number>();
  /** Orders that wait for it, as it was told last. */
  demand = 0;

  constructor(hello: AgentHello, channel: WorkerChannel) {
    this.hello = hello;
    this.channel = channel;
  }

  get name(): string {
    return this.hello.worker;
  }

  get isOpen(): boolean {
    return this.channel !== undefined;
  }

  /** Whether it takes anything new. */
  get isTaking(): boolean {
    return this.isReady && !this.isDraining && this.channel !== undefined;
  }

  /** A worker whose slots are all for this gateway gets a few more attempts where they are so short that a slot would idle. */
  get room(): number {
    if (!this.isTaking) return 0;
    const { offered, attempts } = this;
    return offered < this.hello.slots ? offered - attempts.size : this.pace.room(offered, attempts.size);
  }

  /** Workers with the same take the same orders. */
  get kind(): string {
    return `${this.hello.executor} ${[...this.hello.queues].sort().join(' ')}`;
  }

  serves(queue: string): boolean {
    const { queues } = this.hello;
    return queues.includes(queue) || queues.includes(ALL_QUEUES);
  }

  /** One at a time is a way to run locally. */
  hasExecutor(name: string): boolean {
    const { executor } = this.hello;
    return name === executor || (executor === 'sequential' && name === 'local');
  }

  takes({ queue, executor }: { readonly queue: string; readonly executor?: string | undefined }): boolean {
    if (!this.serves(queue)) return false;
    return executor === undefined ? this.hello.namedOnly !== true : this.hasExecutor(executor);
  }

  send(frame: GatewayFrame): void {
    this.channel?.send(frame);
  }
}

export interface LinkEvents {
  /** A session has begun; `before`: what was known of the worker. It is handed nothing until it is made ready. */
  onHello(link: Link, before: AgentHello | undefined): void;
  /** Why the worker may not have a session. */
  refuse(hello: AgentHello): string | undefined;
  onReports(link: Link, reports: readonly WorkerReport[]): void;
  /** It takes more or less than before. */
  onRoom(link: Link): void;
  onClose(link: Link): void;
  /** What is between gateways, workers and the services of attempts. */
  onFrame(link: Link, frame: OtherFrame): void;
}

export type OtherFrame = Exclude<AgentFrame, { readonly kind: 'hello' | 'reports' | 'offer' | 'draining' }>;

/** The workers that a gateway knows, by name. */
export class Links {
  private readonly events: LinkEvents;
  private readonly byName = new Map<string, Link>();
  private kinds = 0;

  constructor(events: LinkEvents) {
    this.events = events;
  }

  [Symbol.iterator](): IterableIterator<Link> {
    return this.byName.values();
  }

  get(name: string): Link | undefined {
    return this.byName.get(name);
  }

  /** Workers differ in what they take. */
  get isMixed(): boolean {
    return this.kinds > 1;
  }

  get slots(): number {
    let sum = 0;
    for (const link of this.byName.values()) if (link.isTaking) sum += link.offered;
    return sum;
  }

  taking(): Link[] {
    return Array.from(this.byName.values()).filter((link) => link.isTaking);
  }

  /** Those of them that look after waits, run callbacks and load files. */
  helping(): Link[] {
    return this.taking().filter(({ hello }) => hello.attemptsOnly !== true);
  }

  accept(channel: WorkerChannel): void {
    let link: Link | undefined;
    channel.listen({
      onFrame: (frame) => {
        const refusal = frame.kind === 'hello' ? this.events.refuse(frame.hello) : undefined;
        if (refusal !== undefined) channel.close(refusal);
        else if (frame.kind === 'hello') link = this.onHello(frame.hello, channel);
        else if (link === undefined) channel.close('the first frame of a session is a hello');
        // Another session of the worker may have taken its place.
        else if (link.channel === channel) this.onFrame(link, frame);
      },
      onClose: () => {
        if (link?.channel !== channel) return;
        link.channel = undefined;
        link.isReady = false;
        this.recount();
        this.events.onClose(link);
      },
    });
  }

  /** It will not come back. */
  forget(link: Link): void {
    if (this.byName.get(link.name) !== link) return;
    this.byName.delete(link.name);
    this.recount();
  }

  private onHello(hello: AgentHello, channel: WorkerChannel): Link {
    const known = this.byName.get(hello.worker);
    const link = known ?? new Link(hello, channel);
    const before = known?.hello;
    const old = link.channel;
    link.hello = hello;
    link.channel = channel;
    link.offered = 0;
    link.isReady = false;
    link.isWelcome = false;
    link.beat = undefined;
    link.demand = 0;
    link.unclaimed.clear();
    link.isDraining = hello.draining;
    this.byName.set(hello.worker, link);
    if (old !== channel) old?.close('the worker has begun another session');
    this.recount();
    this.events.onHello(link, before);
    return link;
  }

  private onFrame(link: Link, frame: Exclude<AgentFrame, { readonly kind: 'hello' }>): void {
    switch (frame.kind) {
      case 'reports':
        this.events.onReports(link, frame.reports);
        return;
      case 'offer':
        link.offered = frame.slots;
        this.events.onRoom(link);
        return;
      case 'draining':
        link.isDraining = true;
        this.recount();
        this.events.onRoom(link);
        return;
      case 'claims':
      case 'refused':
      case 'beat':
      case 'leaving':
      case 'parsed':
      case 'call':
        this.events.onFrame(link, frame);
        return;
      default:
        // A worker of a later release may say more.
        frame satisfies never;
    }
  }

  private recount(): void {
    const kinds = new Set<string>();
    for (const link of this.byName.values()) if (link.isOpen && !link.isDraining) kinds.add(link.kind);
    // One that does not take every order of its queues is to be asked about each.
    const isChoosy = [...this.byName.values()].some(({ hello }) => hello.namedOnly === true);
    this.kinds = kinds.size + (isChoosy ? 1 : 0);
  }
}
