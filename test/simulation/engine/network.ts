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
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Weather } from './weather.ts';

/** An end that has heard nothing of the other for so long takes the channel for closed. */
const KEEPALIVE_MS = 15_000;
const LOOK_MS = 2_500;
const CONNECT_MS = 5_000;

export interface NetworkStores {
  readonly logs?: LogStore;
  readonly bundles?: BundleStore;
}

interface Listener {
  readonly machine: Machine;
  readonly onSession: (channel: WorkerChannel) => void;
  readonly ends: Set<End<AgentFrame, GatewayFrame>>;
}

/** Channels between machines, which close, break without a word, and are cut for a while. */
export class SimNetwork {
  readonly time: VirtualTime;
  readonly dice: Dice;
  readonly weather: Weather;
  readonly listeners = new Map<string, Listener>();
  private readonly stores: NetworkStores;
  private readonly cuts: { readonly a: string; readonly b: string; readonly until: number }[] = [];

  constructor(time: VirtualTime, dice: Dice, weather: Weather, stores: NetworkStores = {}) {
    this.time = time;
    this.dice = dice.fork('network');
    this.weather = weather;
    this.stores = stores;
  }

  /** Nothing passes between the two, by the names of their supervisors. */
  cut(a: string, b: string, ms: number): void {
    this.cuts.push({ a, b, until: this.time.now + ms });
  }

  /** When a message between the two can pass. */
  passableAt(a: Machine, b: Machine): number {
    let at = this.time.now;
    for (const cut of this.cuts)
      if ((isOf(a, cut.a) && isOf(b, cut.b)) || (isOf(a, cut.b) && isOf(b, cut.a))) at = Math.max(at, cut.until);
    return at;
  }

  /** Where the machine's gateway can be reached. */
  host(machine: Machine, address: string): SessionHost {
    return {
      start: (onSession) => {
        const listener: Listener = { machine, onSession, ends: new Set() };
        this.listeners.set(address, listener);
        machine.onDeath(() => {
          if (this.listeners.get(address) === listener) this.listeners.delete(address);
        });
        return Promise.resolve();
      },
      stop: () => {
        const listener = this.listeners.get(address);
        this.listeners.delete(address);
        for (const end of listener?.ends ?? []) end.close('the gateway stops');
        return Promise.resolve();
      },
    };
  }

  line(machine: Machine, address: string): GatewayLine {
    const ends = new Set<End<GatewayFrame, AgentFrame>>();
    const { logs, bundles } = this.stores;
    let storing: Promise<void> = Promise.resolve();
    return {
      address,
      connect: () => this.connect(machine, address, ends),
      appendLog: (attempt, lines, again) => {
        const stored = storing.then(async () => {
          await this.reach(machine, address);
          if (logs !== undefined)
            await (again === true ? appendAgain(logs, attempt, lines) : logs.append(attempt, lines));
        });
        storing = stored.catch(() => undefined);
        return stored;
      },
      fetchBundle: async (hash) => {
        await this.reach(machine, address);
        const manifest = await bundles?.getManifest(hash);
        if (manifest === undefined) return undefined;
        const files = Object.keys(manifest.files).map(
          async (path) => [path, (await bundles!.readFile(hash, path))!] as const,
        );
        return new Map(await Promise.all(files));
      },
      close: () => {
        for (const end of ends) end.close('the worker has left');
        return Promise.resolve();
      },
    };
  }

  private async reach(machine: Machine, address: string): Promise<void> {
    await machine.sleep(this.dice.delay(3, 40));
    const there = this.listeners.get(address)?.machine;
    if (there?.state !== 'running' || this.passableAt(machine, there) > this.time.now)
      throw new Error(`${address} cannot be reached`);
  }

  private connect(
    machine: Machine,
    address: string,
    ends: Set<End<GatewayFrame, AgentFrame>>,
  ): Promise<GatewayChannel> {
    const { time, dice } = this;
    return new Promise((resolve, reject) => {
      const refuse = (ms: number, why: string): void =>
        void time.after(ms, () => machine.enter(() => reject(new Error(`${address} ${why}`))));
      time.after(dice.delay(3, 40), () => {
        const listener = this.listeners.get(address);
        if (listener === undefined) return refuse(2, 'refuses connections');
        const there = listener.machine;
        if (there.state !== 'running' || this.passableAt(machine, there) > time.now)
          return refuse(CONNECT_MS, 'does not answer');
        const mine = new End<GatewayFrame, AgentFrame>(this, machine, address);
        const theirs = new End<AgentFrame, GatewayFrame>(this, there, machine.name);
        join(this, mine, theirs);
        ends.add(mine);
        listener.ends.add(theirs);
        listener.onSession(theirs);
        time.after(dice.delay(3, 40), () => machine.enter(() => resolve(mine)));
      });
    });
  }
}

const isOf = ({ name }: Machine, supervisor: string): boolean => name.split('.')[0] === supervisor;

function join<A, B>(network: SimNetwork, a: End<A, B>, b: End<B, A>): void {
  a.other = b;
  b.other = a;
  watch(network, a, b);
  for (const [end, other] of [
    [a, b],
    [b, a],
  ] as const)
    end.machine.onDeath(() => {
      end.isOpen = false;
      // Its system says so at once, but for a machine that is gone as a whole: then the other end finds out by itself.
      if (network.dice.chance(0.7)) network.time.after(network.dice.delay(5, 200), () => other.breaks('reset by peer'));
    });
}

/** Each end looks whether it still hears of the other. */
function watch<A, B>(network: SimNetwork, a: End<A, B>, b: End<B, A>): void {
  const { time } = network;
  const heardAt = [time.now, time.now];
  const look = (): void => {
    if (!a.isOpen && !b.isOpen) return;
    const reaches = !a.isBroken && network.passableAt(a.machine, b.machine) <= time.now;
    if (reaches && b.isOpen && b.machine.state === 'running') heardAt[0] = time.now;
    if (reaches && a.isOpen && a.machine.state === 'running') heardAt[1] = time.now;
    if (a.isOpen && time.now - heardAt[0]! > KEEPALIVE_MS) a.breaks('no answer to keepalive');
    if (b.isOpen && time.now - heardAt[1]! > KEEPALIVE_MS) b.breaks('no answer to keepalive');
    time.after(LOOK_MS, look);
  };
  time.after(LOOK_MS, look);
}

/** One end of a channel. */
class End<In, Out> implements Channel<In, Out> {
  readonly peer: string;
  readonly machine: Machine;
  other!: End<Out, In>;
  isOpen = true;
  /** Nothing passes any more, and nobody has been told. */
  isBroken = false;
  private readonly network: SimNetwork;
  private readonly early: (string | { readonly reason: string })[] = [];
  private events: Parameters<Channel<In, Out>['listen']>[0] | undefined;
  private lastArrival = 0;
  private isTold = false;

  constructor(network: SimNetwork, machine: Machine, peer: string) {
    this.network = network;
    this.machine = machine;
    this.peer = peer;
  }

  send(frame: Out): void {
    if (!this.isOpen || this.isBroken) return;
    const { network, machine, other } = this;
    const { weather, dice } = network;
    const text = JSON.stringify(frame);
    const kind = `frame/${(frame as { readonly kind: string }).kind}`;
    if (weather.strikes('channel half-open', kind, machine.name)) {
      this.isBroken = true;
      other.isBroken = true;
      return;
    }
    weather.recorder.note(machine.name, `frame to ${other.machine.name} ${text.slice(0, 4_000)}`);
    const isDelayed = weather.strikes('frame delayed', kind, machine.name);
    this.pass(text, isDelayed ? dice.between(100, 6_000) : 0);
    if (weather.strikes('channel closed', kind, machine.name)) {
      this.breaks('the connection was lost');
      network.time.after(dice.between(0, 2_000), () => other.breaks('the connection was lost'));
    }
  }

  close(reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    queueMicrotask(() => this.tell(reason));
    this.pass({ reason }, 0);
  }

  listen(events: Parameters<Channel<In, Out>['listen']>[0]): void {
    if (this.events !== undefined) throw new Error('listen is called once');
    this.events = events;
    queueMicrotask(() => {
      for (const what of this.early.splice(0)) this.arrive(what);
    });
  }

  /** The channel is no more: this end finds out. */
  breaks(reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.machine.enter(() => this.tell(reason));
  }

  private pass(what: string | { readonly reason: string }, extraMs: number): void {
    const { network, machine, other } = this;
    const { time, dice } = network;
    const soonest = network.passableAt(machine, other.machine) + dice.delay(3, 40) + extraMs;
    this.lastArrival = Math.max(this.lastArrival, soonest);
    time.after(this.lastArrival - time.now, () => {
      if (!this.isBroken) other.machine.enter(() => other.arrive(what));
    });
  }

  private arrive(what: string | { readonly reason: string }): void {
    if (this.events === undefined) {
      this.early.push(what);
      return;
    }
    if (!this.isOpen) return;
    if (typeof what === 'string') return this.events.onFrame(JSON.parse(what) as In);
    this.isOpen = false;
    this.tell(what.reason);
  }

  private tell(reason: string): void {
    if (this.isTold) return;
    if (this.events === undefined) {
      // Whoever listens next hears of it.
      this.isOpen = true;
      this.early.push({ reason });
      return;
    }
    this.isTold = true;
    this.events.onClose(reason);
  }
}
