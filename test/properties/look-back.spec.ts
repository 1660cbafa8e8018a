import { SensorEvents, WaitRouter, type StatedWait } from '@rondo/application';
import type { SchedulerMessage } from '@rondo/contracts';
import type { EventWait, SensorEvent } from '@rondo/domain';
import type { EventStore, MessageBus } from '@rondo/ports';
import { memoryEventStore } from '@rondo/testing';
import fc from 'fast-check';
import { effort, seed } from './effort.ts';
import { naiveAnswer, type NaiveEvent, type NaiveWait } from './naive-look-back.ts';

type Action =
  | { readonly kind: 'send'; readonly event: Omit<NaiveEvent, 'at'> }
  | {
      readonly kind: 'wait';
      readonly waits: readonly { readonly wait: Omit<NaiveWait, 'from'>; readonly back: number }[];
    }
  | { readonly kind: 'end'; readonly which: number }
  | { readonly kind: 'restart'; readonly forgotten: boolean }
  | { readonly kind: 'rest' };

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });
const type = fc.constantFrom('a', 'b');
const source = fc.constantFrom('/x', '/y');
const subject = fc.constantFrom('s', 't');
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      event: fc.record({
        id: fc.integer({ min: 0, max: 9 }).map(String),
        source,
        type,
        subject: maybe(subject),
        n: fc.integer({ min: 0, max: 1 }),
      }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      waits: fc.array(
        fc.record({
          wait: fc.record({
            type,
            source: maybe(source),
            subject: maybe(subject),
            n: maybe(fc.integer({ min: 0, max: 1 })),
            count: fc.integer({ min: 1, max: 3 }),
          }),
          back: fc.integer({ min: -5, max: 20 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), forgotten: fc.boolean() }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'rest' as const }) },
);

interface Stated {
  readonly stated: StatedWait;
  readonly naive: NaiveWait;
  ended: boolean;
}

/** Waits and events in any order, on a router that may be gone at any moment. */
class World {
  readonly events: NaiveEvent[] = [];
  readonly waits: Stated[] = [];
  /** Every answer that was given to each wait. */
  readonly answers = new Map<string, string[][]>();
  private now = 100;
  private readonly store = memoryEventStore({ now: () => this.now, pageSize: 3 });
  private readonly ingest: SensorEvents;
  private router = this.newRouter();

  constructor() {
    this.ingest = new SensorEvents({ store: this.store, bus: NO_BUS, clock: this.clock });
  }

  private get clock() {
    return { now: () => this.now, at: () => () => undefined };
  }

  async play(actions: readonly Action[]): Promise<void> {
    await this.router.start();
    for (const each of actions) {
      this.now++;
      await this.act(each);
    }
    await rest(150);
    await this.router.stop();
  }

  private async act(each: Action): Promise<void> {
    switch (each.kind) {
      case 'send':
        return this.send(each.event);
      case 'wait':
        for (const wait of each.waits) this.wait(wait);
        return;
      case 'end': {
        const wait = this.waits[each.which % Math.max(this.waits.length, 1)];
        if (wait === undefined) return;
        wait.ended = true;
        this.router.end(wait.stated.id);
        return;
      }
      case 'restart':
        return this.restart(each.forgotten);
      case 'rest':
        return rest(1);
    }
  }

  private async send({ n, ...attributes }: Omit<NaiveEvent, 'at'>): Promise<void> {
    this.events.push({ ...attributes, n, at: this.now });
    const { subject: about, ...event } = attributes;
    const received = await this.ingest.receive(
      [{ ...event, ...(about === undefined ? {} : { subject: about }), data: { n } }],
      'user:ada',
    );
    expect(received.ok).toBe(true);
  }

  private wait({ wait, back }: Extract<Action, { kind: 'wait' }>['waits'][number]): void {
    const lookBackFrom = this.now - back;
    const { n } = wait;
    const event: EventWait = {
      kind: 'event',
      eventType: wait.type,
      lookBackFrom,
      count: wait.count,
      ...(wait.source === undefined ? {} : { source: wait.source }),
      ...(wait.subject === undefined ? {} : { subject: wait.subject }),
      ...(n === undefined ? {} : { filter: { data: { n } } }),
    };
    const stated = { id: `d:r${this.waits.length}:t:1.1`, wait: event, since: this.now, consumed: 0 };
    this.waits.push({ stated, naive: { ...wait, from: Math.min(lookBackFrom, this.now) }, ended: false });
    this.router.state(stated);
  }

  /** `forgotten`: no answer had become durable, so that all waits are stated again; else only what was not answered. */
  private async restart(forgotten: boolean): Promise<void> {
    await this.router.stop();
    this.router = this.newRouter();
    await this.router.start();
    for (const { stated, ended } of this.waits)
      if (!ended && (forgotten || !this.answers.has(stated.id))) this.router.state(stated);
  }

  private newRouter(): WaitRouter {
    const publish = (_topic: string, messages: readonly { readonly value: unknown }[]): Promise<void> => {
      for (const { value } of messages) this.answered(value as Extract<SchedulerMessage, { kind: 'waited' }>);
      return Promise.resolve();
    };
    return new WaitRouter({
      store: slow(this.store),
      bus: { ...NO_BUS, publish } as MessageBus,
      blobs: {} as never,
      loader: {} as never,
      clock: this.clock,
      onProblem: (message) => {
        throw new Error(message);
      },
    });
  }

  private answered({ attempt, answer }: Extract<SchedulerMessage, { kind: 'waited' }>): void {
    if (answer.kind !== 'met' || answer.payload === undefined || !('value' in answer.payload))
      throw new Error(JSON.stringify(answer));
    const hits = [answer.payload.value].flat() as unknown as SensorEvent[];
    const given = this.answers.get(attempt) ?? [];
    this.answers.set(attempt, given);
    given.push(hits.map(({ source: from, id }) => `${from} ${id}`));
  }
}

const NO_BUS = {
  publish: () => Promise.resolve(),
  consume: () => Promise.reject(new Error('nothing is consumed')),
  partitionOf: () => 0,
  close: () => Promise.resolve(),
} satisfies MessageBus;

/** Looks back so slowly that events and waits come meanwhile. */
function slow(store: EventStore): EventStore {
  const positionAt = async (time: number): Promise<number> => {
    await rest(12);
    return store.positionAt(time);
  };
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'positionAt') return positionAt;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function rest(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe(`events and those who wait for them, in any order, with repeats and restarts (seed ${seed})`, () => {
  it('no event is lost and none is counted twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 50 }), async (actions) => {
        const world = new World();
        await world.play(actions);
        for (const { stated, naive, ended } of world.waits) {
          const expected = naiveAnswer(naive, world.events);
          const given = world.answers.get(stated.id) ?? [];
          for (const answer of given) expect(answer).toEqual(expected);
          // One that was ended may have been answered before.
          if (!ended) expect(given.length > 0).toBe(expected !== undefined);
        }
      }),
      { numRuns: 400 * effort, seed },
    );
  });
});
