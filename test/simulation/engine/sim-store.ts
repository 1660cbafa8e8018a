import {
  StoreUnavailableError,
  wavesOf,
  type AppendOutcome,
  type AppendRequest,
  type EventStore,
  type ReadOptions,
  type RecordedEvent,
  type StreamFilter,
  type StreamHead,
  type SubscribeOptions,
  type Subscription,
} from '@rondo/ports';
import { memoryEventStore, type MemoryEventStore } from '@rondo/testing';
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Weather } from './weather.ts';

/** How long a client waits for an answer that does not come. */
const TIMEOUT_MS = 5_000;

/** One history, and a client of it for each process, between which messages are lost and late. */
export class SimStore {
  readonly history: MemoryEventStore;
  readonly time: VirtualTime;
  readonly weather: Weather;
  readonly dice: Dice;
  /** No answer to anybody until then. */
  awayUntil = 0;
  /** The next append of this process to a DAG is its last deed: it is written when somebody else has read one of its streams, or later. */
  doomed: { readonly machine: Machine; readonly afterMs: number; readonly kill: () => void } | undefined;
  private late:
    | { readonly machine: Machine; readonly streams: ReadonlySet<string>; readonly land: () => void }
    | undefined;
  /** It is a thread of the only process, and dies with it. */
  readonly isEmbedded: boolean;

  constructor(time: VirtualTime, dice: Dice, weather: Weather, isEmbedded = false, now = (): number => time.wall) {
    this.isEmbedded = isEmbedded;
    this.time = time;
    this.weather = weather;
    this.dice = dice.fork('store');
    this.history = memoryEventStore({ now, pageSize: 500 });
  }

  get isAway(): boolean {
    return this.time.now < this.awayUntil;
  }

  /** Kills the writer when it is doomed, and answers how much later what it writes arrives. */
  doom(machine: Machine, chain: readonly AppendRequest[], land: () => void): number {
    const { doomed, time } = this;
    const streams = new Set(chain.map(({ stream }) => stream));
    if (doomed?.machine !== machine || !kindOf(chain[0]?.stream ?? '').startsWith('dag')) return 0;
    this.doomed = undefined;
    this.late = { machine, streams, land };
    time.after(1, doomed.kill);
    return doomed.afterMs;
  }

  wasRead(stream: string, by: Machine): void {
    const { late, time, dice } = this;
    if (late === undefined || late.machine === by || !late.streams.has(stream)) return;
    this.late = undefined;
    time.after(dice.between(0, 60), late.land);
  }

  client(machine: Machine): EventStore {
    return new Client(this, machine);
  }
}

const away = (message: string): StoreUnavailableError => new StoreUnavailableError(message, { retryable: true });

/** The kind of a stream: what stands before the first hyphen. */
const kindOf = (stream: string): string => stream.split('-')[0]!;

class Client implements EventStore {
  private readonly server: SimStore;
  private readonly machine: Machine;
  private readonly subscriptions = new Set<Subscription>();
  /** Appends arrive in the order in which they were sent. */
  private lastArrival = 0;
  private closed = false;

  constructor(server: SimStore, machine: Machine) {
    this.server = server;
    this.machine = machine;
    machine.onDeath(() => this.subscriptions.forEach((each) => void each.stop()));
  }

  append(chain: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const { server, machine } = this;
    if (this.closed) return Promise.reject(new StoreUnavailableError('closed', { retryable: false }));
    const kind = kindOf(chain[0]?.stream ?? '');
    const { time, weather, dice, history } = server;
    const strikes = (fault: Parameters<Weather['strikes']>[0]): boolean => weather.strikes(fault, kind, machine.name);
    this.lastArrival = Math.max(this.lastArrival, time.now + dice.delay(3, 40));
    const arrival = this.lastArrival - time.now;
    return new Promise((resolve, reject) => {
      const answer = (ms: number, settle: () => void): void => void time.after(ms, () => machine.enter(settle));
      const unanswered = (): void => answer(TIMEOUT_MS, () => reject(away('no answer to an append')));
      if (strikes('append refused')) return answer(2, () => reject(away('no leader')));
      if (strikes('append lost')) return unanswered();
      const isLate = strikes('append late');
      const isUnanswered = isLate || strikes('append unanswered');
      const part = chain.length > 1 && strikes('append torn') ? torn(chain, dice) : chain;
      if (isUnanswered || part !== chain) unanswered();
      let hasArrived = false;
      const arrive = (): void => {
        if (hasArrived || (server.isEmbedded && machine.isDead)) return;
        hasArrived = true;
        if (server.isAway)
          return isUnanswered ? undefined : answer(TIMEOUT_MS, () => reject(away('the store is away')));
        void history.append(part).then(
          (outcomes) => {
            this.noteOutcome(part, outcomes);
            if (!isUnanswered && part === chain) answer(dice.delay(3, 40), () => resolve(outcomes));
          },
          (error: unknown) => answer(1, () => reject(error as Error)),
        );
      };
      const lateMs = isLate ? dice.between(1_000, 15_000) : server.doom(machine, chain, arrive);
      time.after(arrival + lateMs, arrive);
    });
  }

  private noteOutcome(chain: readonly AppendRequest[], outcomes: readonly AppendOutcome[]): void {
    const { server, machine } = this;
    for (const [at, outcome] of outcomes.entries()) {
      const { stream, events } = chain[at]!;
      const types = events.map(({ type }) => type).join(' ');
      server.weather.recorder.note(
        machine.name,
        outcome.ok
          ? `append ${stream}@${outcome.revision} ${types}`
          : `CONFLICT ${stream}: ${outcome.expected} is ${outcome.actual}`,
      );
    }
  }

  /** A read is answered by what stands when it arrives. */
  private ask<T>(kind: string, look: () => Promise<T>): Promise<T> {
    const { server, machine } = this;
    const { time, weather, dice } = server;
    if (this.closed) return Promise.reject(new StoreUnavailableError('closed', { retryable: false }));
    return new Promise((resolve, reject) => {
      const refuse = (ms: number, message: string): void =>
        void time.after(ms, () => machine.enter(() => reject(away(message))));
      if (weather.strikes('read refused', kind, machine.name)) return refuse(2, 'not the leader');
      time.after(dice.delay(2, 30), () => {
        if (server.isAway) return refuse(TIMEOUT_MS, 'the store is away');
        void look().then(
          (value) => time.after(dice.delay(2, 30), () => machine.enter(() => resolve(value))),
          (error: unknown) => machine.enter(() => reject(error as Error)),
        );
      });
    });
  }

  async *readStream(stream: string, options?: ReadOptions): AsyncGenerator<readonly RecordedEvent[]> {
    const { history } = this.server;
    const pages = await this.ask(kindOf(stream), () => Array.fromAsync(history.readStream(stream, options)));
    this.server.wasRead(stream, this.machine);
    yield* pages;
  }

  async *readAll(
    after: number,
    options?: { readonly filter?: StreamFilter; readonly upTo?: number; readonly limit?: number },
  ): AsyncGenerator<readonly RecordedEvent[]> {
    yield* await this.ask('$all', () => Array.fromAsync(this.server.history.readAll(after, options)));
  }

  listStreams(prefix: string): Promise<readonly StreamHead[]> {
    return this.ask(`list ${prefix}`, () => this.server.history.listStreams(prefix));
  }

  head(): Promise<number> {
    return this.ask('head', () => this.server.history.head());
  }

  positionAt(time: number): Promise<number> {
    return this.ask('time', () => this.server.history.positionAt(time));
  }

  readSnapshot(stream: string): Promise<{ readonly revision: number; readonly state: string } | undefined> {
    return this.ask('snapshot', () => this.server.history.readSnapshot(stream));
  }

  writeSnapshot(stream: string, revision: number, state: string): Promise<void> {
    return this.ask('snapshot', () => this.server.history.writeSnapshot(stream, revision, state));
  }

  subscribe(options: SubscribeOptions): Subscription {
    const { server, machine } = this;
    const { time, weather, dice } = server;
    let state: 'open' | 'dropped' | 'stopped' = 'open';
    const drop = (error: Error): void => {
      if (state !== 'open') return;
      state = 'dropped';
      void inner.stop();
      machine.enter(() => (state === 'stopped' ? undefined : options.onDrop?.(error)));
    };
    let running: Promise<void> | undefined;
    const inner = server.history.subscribe({
      ...options,
      onBatch: (events, through) =>
        new Promise<void>((resolve) => {
          time.after(dice.delay(4, 60), () => {
            if (state !== 'open') return resolve();
            if (server.isAway || weather.strikes('subscription dropped', options.name.split('-')[0]!, machine.name)) {
              resolve();
              return drop(away('the subscription was dropped'));
            }
            machine.enter(() => {
              if (state !== 'open') return resolve();
              running = Promise.resolve(options.onBatch(events, through)).then(resolve, (error: unknown) => {
                resolve();
                drop(error as Error);
              });
            });
          });
        }),
      onDrop: drop,
    });
    const subscription = {
      stop: async (): Promise<void> => {
        state = 'stopped';
        this.subscriptions.delete(subscription);
        void inner.stop();
        await running;
      },
    };
    this.subscriptions.add(subscription);
    return subscription;
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const each of this.subscriptions) await each.stop();
  }
}

/** What is written of a chain that is cut: some of its groups, and any part of the next. Something of it is always missing. */
function torn(chain: readonly AppendRequest[], dice: Dice): readonly AppendRequest[] {
  const waves = wavesOf(chain);
  const cut = dice.between(0, waves.length - 1);
  const wave = waves[cut]!;
  const missing = dice.between(0, wave.length - 1);
  return [...waves.slice(0, cut).flat(), ...wave.filter((_, at) => at !== missing && dice.between(0, 1) === 1)];
}
