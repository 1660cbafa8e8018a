import { randomUUID } from 'node:crypto';
import type { BusMessage, ConsumeOptions, Consumer, DeliveredMessage, MessageBus } from '@rondo/ports';

export interface MessageBusFixture {
  readonly bus: MessageBus;
  readonly dispose: () => Promise<void>;
}

export type MessageBusFactory = () => Promise<MessageBusFixture>;

/** A consumer that keeps what it gets, and can be waited on. */
class Collector {
  readonly messages: DeliveredMessage<number>[] = [];
  readonly assigned = new Set<number>();
  batches = 0;
  #waiting: { readonly done: () => boolean; readonly resolve: () => void }[] = [];

  readonly options: Pick<ConsumeOptions<number>, 'onBatch' | 'onAssigned' | 'onRevoked'>;

  constructor(during?: (messages: readonly DeliveredMessage<number>[]) => void | Promise<void>) {
    this.options = {
      onBatch: async (messages) => {
        this.batches += 1;
        await during?.(messages);
        this.messages.push(...messages);
        this.wake();
      },
      onAssigned: (partitions) => {
        for (const p of partitions) this.assigned.add(p);
        this.wake();
      },
      onRevoked: (partitions) => {
        for (const p of partitions) this.assigned.delete(p);
        this.wake();
      },
    };
  }

  wake(): void {
    this.#waiting = this.#waiting.filter(({ done, resolve }) => {
      if (!done()) return true;
      resolve();
      return false;
    });
  }

  async until(done: () => boolean): Promise<void> {
    if (!done()) await new Promise<void>((resolve) => this.#waiting.push({ done, resolve }));
  }

  get values(): number[] {
    return this.messages.map((m) => m.value);
  }
}

const numbered = (count: number, key: (i: number) => string): BusMessage<number>[] =>
  Array.from({ length: count }, (_, i) => ({ key: key(i), value: i }));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const rising = (values: readonly number[]): boolean => values.every((v, i) => i === 0 || v > values[i - 1]!);
const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

async function eventually(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** The rules of the MessageBus port. */
export function describeMessageBusContract(name: string, factory: MessageBusFactory): void {
  describe(`${name}: message bus`, () => {
    let fixture: MessageBusFixture;
    let topic: string;
    const consumers: Consumer[] = [];
    beforeEach(async () => {
      fixture = await factory();
      topic = `contract.${randomUUID()}`;
    });
    afterEach(async () => {
      for (const consumer of consumers.splice(0)) await consumer.close();
      await fixture.dispose();
    });
    const consume = async (collector: Collector, group: string, maxBatch?: number): Promise<Consumer> => {
      const options = { topic, group, ...collector.options, ...(maxBatch === undefined ? {} : { maxBatch }) };
      const consumer = await fixture.bus.consume<number>(options);
      consumers.push(consumer);
      return consumer;
    };
    const publish = (messages: readonly BusMessage<number>[]): Promise<void> => fixture.bus.publish(topic, messages);

    it('delivers messages with key, value, partition and a rising offset', async () => {
      const collector = new Collector();
      await consume(collector, 'g');
      await publish(numbered(100, (i) => `key-${i % 7}`));
      await collector.until(() => collector.messages.length >= 100);
      expect(sorted(collector.values)).toEqual(upTo(100));
      for (const m of collector.messages) expect(m.partition).toBe(fixture.bus.partitionOf(topic, m.key));
      const partitions = Map.groupBy(collector.messages, (m) => m.partition);
      for (const messages of partitions.values()) expect(rising(messages.map((m) => m.offset))).toBe(true);
    });

    it('keeps the order of each key over many publishes', async () => {
      const collector = new Collector();
      await consume(collector, 'g', 10);
      for (let i = 0; i < 200; i++) await publish([{ key: `k${i % 5}`, value: i }]);
      await collector.until(() => collector.messages.length >= 200);
      for (const messages of Map.groupBy(collector.messages, (m) => m.key).values())
        expect(rising(messages.map((m) => m.value))).toBe(true);
    });

    it('puts a key on the same partition each time, and keys on many partitions', () => {
      const { bus } = fixture;
      const partitions = upTo(500).map((i) => bus.partitionOf(topic, `dag-${i}`));
      expect(upTo(500).map((i) => bus.partitionOf(topic, `dag-${i}`))).toEqual(partitions);
      expect(new Set(partitions).size).toBeGreaterThan(10);
    });

    it('gives each group every message', async () => {
      const [one, two] = [new Collector(), new Collector()];
      await consume(one, 'one');
      await consume(two, 'two');
      await publish(numbered(20, String));
      await one.until(() => one.messages.length >= 20);
      await two.until(() => two.messages.length >= 20);
      expect(sorted(one.values)).toEqual(upTo(20));
      expect(sorted(two.values)).toEqual(upTo(20));
    });

    it('shares the partitions among the members of a group, each message to one of them', async () => {
      const [one, two] = [new Collector(), new Collector()];
      await consume(one, 'g');
      await consume(two, 'g');
      await eventually(
        () => one.assigned.size > 0 && two.assigned.size > 0 && one.assigned.isDisjointFrom(two.assigned),
      );
      await publish(numbered(300, String));
      await eventually(() => one.messages.length + two.messages.length >= 300);
      expect(sorted([...one.values, ...two.values])).toEqual(upTo(300));
      for (const m of one.messages) expect(one.assigned.has(m.partition)).toBe(true);
      for (const m of two.messages) expect(two.assigned.has(m.partition)).toBe(true);
    });

    it('gives the partitions of a member that leaves to those that stay, and loses nothing', async () => {
      const [one, two] = [new Collector(), new Collector()];
      await consume(one, 'g');
      const leaving = await consume(two, 'g');
      await two.until(() => two.assigned.size > 0);
      await publish(numbered(100, String));
      await leaving.close();
      expect(two.assigned.size).toBe(0);
      await publish(numbered(100, String).map((m) => ({ ...m, value: m.value + 100 })));
      const seen = (): Set<number> => new Set([...one.values, ...two.values]);
      await eventually(() => seen().size >= 200);
      expect(sorted([...seen()])).toEqual(upTo(200));
      const after = two.messages.length;
      await publish([{ key: 'x', value: 200 }]);
      await one.until(() => seen().has(200));
      expect(two.messages).toHaveLength(after);
    });

    it('settles what is being handled before a partition has another owner', async () => {
      const running = new Map<number, number>();
      let overlapped = false;
      const work = async (messages: readonly DeliveredMessage<number>[]): Promise<void> => {
        const partitions = new Set(messages.map((m) => m.partition));
        for (const p of partitions) {
          running.set(p, (running.get(p) ?? 0) + 1);
          overlapped ||= running.get(p)! > 1;
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
        for (const p of partitions) running.set(p, running.get(p)! - 1);
      };
      const all = [new Collector(work), new Collector(work), new Collector(work)];
      await consume(all[0]!, 'g', 5);
      await publish(numbered(200, String));
      await consume(all[1]!, 'g', 5);
      const third = await consume(all[2]!, 'g', 5);
      await publish(numbered(200, String).map((m) => ({ ...m, value: m.value + 200 })));
      await third.close();
      const seen = (): number => new Set(all.flatMap((c) => c.values)).size;
      await eventually(() => seen() >= 400);
      expect(overlapped).toBe(false);
    });

    it('delivers a batch again when its handler throws, and goes on with the other partitions', async () => {
      const { bus } = fixture;
      const keys = upTo(50).map(String);
      const bad = bus.partitionOf(topic, 'bad');
      const good = keys.filter((key) => bus.partitionOf(topic, key) !== bad);
      let failures = 0;
      const collector = new Collector((messages) => {
        if (failures < 3 && messages.some((m) => m.key === 'bad')) {
          failures += 1;
          throw new Error('not yet');
        }
      });
      await consume(collector, 'g');
      await publish([{ key: 'bad', value: -1 }, ...good.map((key, i) => ({ key, value: i }))]);
      await publish([{ key: 'bad', value: -2 }]);
      await collector.until(() => collector.values.includes(-2) && collector.values.includes(good.length - 1));
      expect(failures).toBe(3);
      expect(collector.values.filter((v) => v === -1)).toHaveLength(1);
      expect(collector.values.indexOf(-1)).toBeLessThan(collector.values.indexOf(-2));
      expect(sorted(collector.values.filter((v) => v >= 0))).toEqual(upTo(good.length));
    });

    it('keeps the order of a key through redeliveries', async () => {
      let calls = 0;
      const collector = new Collector(() => {
        calls += 1;
        if (calls % 3 === 1 && calls < 10) throw new Error('again');
      });
      await consume(collector, 'g', 4);
      for (let i = 0; i < 40; i++) await publish([{ key: 'one', value: i }]);
      await collector.until(() => collector.values.includes(39));
      expect(collector.values).toEqual(upTo(40));
    });

    it('puts aside what its reader cannot read, and goes on', async () => {
      const collector = new Collector();
      const read = (value: unknown): number => {
        if (value === 13) throw new Error('nobody reads that');
        return (value as number) * 2;
      };
      consumers.push(await fixture.bus.consume<number>({ topic, group: 'g', ...collector.options, read }));
      await publish([13, 1, 13, 2].map((value) => ({ key: 'one', value })));
      await collector.until(() => collector.values.includes(4));
      expect(collector.values).toEqual([2, 4]);
    });

    it('hands out no more than maxBatch at once', async () => {
      let largest = 0;
      const collector = new Collector((messages) => {
        largest = Math.max(largest, messages.length);
      });
      await consume(collector, 'g', 7);
      await publish(numbered(50, String));
      await collector.until(() => collector.messages.length >= 50);
      expect(largest).toBeLessThanOrEqual(7);
    });

    it('lets a handler publish', async () => {
      const collector = new Collector(async (messages) => {
        for (const m of messages) if (m.value < 20) await publish([{ key: m.key, value: m.value + 1 }]);
      });
      await consume(collector, 'g');
      await publish([{ key: 'a', value: 0 }]);
      await collector.until(() => collector.values.includes(20));
      expect(collector.values).toEqual(upTo(21));
    });

    it('waits at close for what is being handled, and delivers nothing after it', async () => {
      let finished = 0;
      let started: () => void;
      const begun = new Promise<void>((resolve) => (started = resolve));
      const collector = new Collector(async () => {
        started();
        await new Promise((resolve) => setTimeout(resolve, 20));
        finished += 1;
      });
      const consumer = await consume(collector, 'g');
      await publish([{ key: 'a', value: 1 }]);
      await begun;
      await consumer.close();
      expect(finished).toBe(1);
      await publish([{ key: 'a', value: 2 }]);
      await new Promise((resolve) => setImmediate(resolve));
      expect(collector.values).toEqual([1]);
    });

    it('gives a member that comes back what its group has not handled', async () => {
      const first = new Collector();
      const consumer = await consume(first, 'g');
      await publish([{ key: 'a', value: 1 }]);
      await first.until(() => first.messages.length === 1);
      await consumer.close();
      await publish([{ key: 'a', value: 2 }]);
      const second = new Collector();
      await consume(second, 'g');
      await second.until(() => second.values.includes(2));
      expect(second.values).toEqual([2]);
    });

    it('begins with what comes after it, when asked to, and keeps nothing for others', async () => {
      await publish(numbered(20, (i) => `early-${i}`));
      const passing = new Collector();
      const consumer = await fixture.bus.consume<number>({
        topic,
        group: randomUUID(),
        from: 'now',
        ...passing.options,
      });
      consumers.push(consumer);
      await publish([{ key: 'late', value: 100 }]);
      await passing.until(() => passing.messages.length > 0);
      expect(passing.values).toEqual([100]);
      const lasting = new Collector();
      await consume(lasting, 'g');
      await lasting.until(() => lasting.messages.length >= 21);
      expect(sorted(lasting.values)).toEqual([...upTo(20), 100]);
    });

    it('tells who owns a partition: each has one owner, and one that has left owns nothing', async () => {
      const { bus } = fixture;
      const partitions = [...new Set(upTo(2_000).map((i) => bus.partitionOf(topic, `key-${i}`)))];
      const first = await consume(new Collector(), 'g');
      expect(partitions.filter((p) => !first.isOwner(p))).toEqual([]);
      const second = await consume(new Collector(), 'g');
      await eventually(() => partitions.every((p) => first.isOwner(p) !== second.isOwner(p)));
      expect(partitions.some((p) => first.isOwner(p)) && partitions.some((p) => second.isOwner(p))).toBe(true);
      await second.close();
      expect(partitions.filter((p) => second.isOwner(p))).toEqual([]);
      await eventually(() => partitions.every((p) => first.isOwner(p)));
    });

    it('refuses to publish after close', async () => {
      await fixture.bus.close();
      await expect(publish([{ key: 'a', value: 1 }])).rejects.toThrow(/closed/);
    });
  });
}
