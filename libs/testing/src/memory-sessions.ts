import {
  appendAgain,
  type AgentFrame,
  type BundleStore,
  type Channel,
  type GatewayChannel,
  type GatewayFrame,
  type GatewayLine,
  type LogStore,
  type SessionHost,
  type WorkerChannel,
} from '@rondo/ports';

export interface MemorySessionsOptions {
  readonly logs?: LogStore;
  readonly bundles?: BundleStore;
  /**
   * Takes what was sent, once for each frame and each close, and lets it arrive: now, later or never (a link that is cut
   * without anybody being told). What arrives does so in the order in which it was sent. Default: in a microtask.
   */
  readonly carry?: (arrive: () => void, to: 'gateway' | 'worker', peer: string) => void;
}

/** The sessions of one gateway, within the process. */
export interface MemorySessions {
  readonly host: SessionHost;
  /** A worker's line to the gateway; `peer`: its name, for people. */
  line(peer?: string): GatewayLine;
}

/** Sessions that behave as those over a network: frames are copied as JSON and arrive later, in order. */
export function memorySessions(options: MemorySessionsOptions = {}): MemorySessions {
  const host = new MemoryHost(options);
  return { host, line: (peer = 'worker') => host.line(peer) };
}

type Carry = (arrive: () => void) => void;

/** One end. What arrives waits until somebody listens; what arrives after its own close is dropped. */
class End<In, Out> implements Channel<In, Out> {
  other: End<Out, In> | undefined;
  readonly peer: string;
  private readonly carry: Carry;
  private readonly arrived: (string | { readonly reason: string })[] = [];
  private events: Parameters<Channel<In, Out>['listen']>[0] | undefined;
  private open = true;
  private told = false;

  constructor(peer: string, carry: Carry) {
    this.peer = peer;
    this.carry = carry;
  }

  send(frame: Out): void {
    if (this.open) this.pass(JSON.stringify(frame));
  }

  close(reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.arrived.length = 0;
    queueMicrotask(() => this.arrive({ reason }));
    this.pass({ reason });
  }

  listen(events: Parameters<Channel<In, Out>['listen']>[0]): void {
    if (this.events !== undefined) throw new Error('listen is called once');
    this.events = events;
    queueMicrotask(() => this.dispatch());
  }

  private pass(what: string | { readonly reason: string }): void {
    const { other } = this;
    other!.onTheWay.push(what);
    this.carry(() => other!.arrive(other!.onTheWay.shift()!));
  }

  /** A carrier that lets frames overtake each other changes when they arrive, not their order. */
  private readonly onTheWay: (string | { readonly reason: string })[] = [];

  private arrive(what: string | { readonly reason: string }): void {
    if (!this.open && typeof what === 'string') return;
    this.arrived.push(what);
    this.dispatch();
  }

  private dispatch(): void {
    if (this.events === undefined) return;
    for (let next = this.arrived.shift(); next !== undefined && !this.told; next = this.arrived.shift()) {
      if (typeof next === 'string') {
        this.events.onFrame(JSON.parse(next) as In);
        continue;
      }
      this.open = false;
      this.told = true;
      this.events.onClose(next.reason);
    }
  }
}

class MemoryHost implements SessionHost {
  private readonly options: MemorySessionsOptions;
  private readonly sessions = new Set<WorkerChannel>();
  private onSession: ((channel: WorkerChannel) => void) | undefined;
  /** Lines are stored in the order of the calls. */
  private storing: Promise<unknown> = Promise.resolve();

  constructor(options: MemorySessionsOptions) {
    this.options = options;
  }

  async start(onSession: (channel: WorkerChannel) => void): Promise<void> {
    this.onSession = onSession;
  }

  async stop(): Promise<void> {
    this.onSession = undefined;
    for (const session of this.sessions) session.close('the gateway stops');
    this.sessions.clear();
  }

  line(peer: string): GatewayLine {
    let mine: GatewayChannel[] = [];
    return {
      address: 'memory',
      connect: async () => {
        const channel = this.connect(peer);
        mine.push(channel);
        return channel;
      },
      appendLog: async (attempt, lines, again) => {
        const { logs } = this.reach();
        const stored = this.storing.then(() =>
          logs === undefined || again !== true ? logs?.append(attempt, lines) : appendAgain(logs, attempt, lines),
        );
        this.storing = stored.catch(() => undefined);
        await stored;
      },
      fetchBundle: async (hash) => filesOf(this.reach().bundles, hash),
      close: async () => {
        for (const channel of mine) channel.close('the worker leaves');
        mine = [];
      },
    };
  }

  private connect(peer: string): GatewayChannel {
    this.reach();
    const carry = this.options.carry ?? ((arrive) => queueMicrotask(arrive));
    const worker = new End<GatewayFrame, AgentFrame>('gateway', (arrive) => carry(arrive, 'gateway', peer));
    const gateway = new End<AgentFrame, GatewayFrame>(peer, (arrive) => carry(arrive, 'worker', peer));
    worker.other = gateway;
    gateway.other = worker;
    this.sessions.add(gateway);
    this.onSession!(gateway);
    return worker;
  }

  private reach(): MemorySessionsOptions {
    if (this.onSession === undefined) throw new Error('the gateway cannot be reached');
    return this.options;
  }
}

async function filesOf(bundles: BundleStore | undefined, hash: string): Promise<Map<string, Uint8Array> | undefined> {
  const manifest = await bundles?.getManifest(hash);
  if (manifest === undefined) return undefined;
  const files = new Map<string, Uint8Array>();
  for (const path of Object.keys(manifest.files)) {
    const bytes = await bundles!.readFile(hash, path);
    if (bytes === undefined) throw new Error(`file '${path}' of bundle '${hash}' is gone from the store`);
    files.set(path, bytes);
  }
  return files;
}
