import { randomUUID } from 'node:crypto';
import { describeMessageBusContract } from '@rondo/testing';
import { aBroker, type Broker } from '../../tools/services/start.ts';
import { kafkaBus, type KafkaBus } from '@rondo/adapter-kafka';
import { Kafka, logLevel } from 'kafkajs';

let broker: Broker;
beforeAll(async () => {
  broker = await aBroker();
}, 300_000);
afterAll(() => broker.stop());

const bus = (change: object = {}): KafkaBus =>
  kafkaBus({ brokers: broker.brokers, prefix: `${randomUUID()}.`, sessionTimeoutMs: 6_000, retryMinMs: 10, ...change });

describeMessageBusContract('Kafka', async () => {
  const made = bus();
  return { bus: made, dispose: () => made.close() };
});

describe('the Kafka bus', () => {
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  it('refuses a topic of another number of partitions, and says both', async () => {
    const prefix = `${randomUUID()}.`;
    const [few, many] = [bus({ prefix, partitions: 4 }), bus({ prefix, partitions: 64 })];
    await few.publish('topic', [{ key: 'a', value: 1 }]);
    await expect(many.publish('topic', [{ key: 'a', value: 2 }])).rejects.toThrow(/has 4 partitions, wanted are 64/);
    await Promise.all([few.close(), many.close()]);
  });

  it('lays what it cannot decode among the dead letters, goes on, and sends it again on request', async () => {
    const prefix = `${randomUUID()}.`;
    const made = bus({ prefix });
    const seen: unknown[] = [];
    const onBatch = (messages: readonly { readonly value: unknown }[]): void => {
      seen.push(...messages.map(({ value }) => value));
    };
    await made.consume({ topic: 'topic', group: 'g', onBatch });
    const producer = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    const partition = made.partitionOf('topic', 'a');
    await producer.send({ topic: `${prefix}topic`, messages: [{ key: 'a', value: '{"broken', partition }] });
    await made.publish('topic', [{ key: 'a', value: 'after' }]);
    await until(() => seen.length > 0);
    expect(seen).toEqual(['after']);
    const [letter] = await made.deadLetters.list();
    expect(letter).toMatchObject({ topic: `${prefix}topic`, partition, at: 0, key: 'a', value: '{"broken' });
    expect(letter!.error).toMatch(/JSON/);
    expect(await made.deadLetters.replay([letter!.offset])).toBe(1);
    await made.publish('topic', [{ key: 'a', value: 'last' }]);
    await until(() => seen.length > 1);
    expect(await made.deadLetters.list()).toHaveLength(2);
    await producer.disconnect();
    await made.close();
  });

  it('waits for a broker that is away, and loses nothing', async () => {
    const own = await aBroker();
    const made = kafkaBus({ brokers: own.brokers, sessionTimeoutMs: 6_000 });
    const seen = new Set<number>();
    const onBatch = (messages: readonly { readonly value: number }[]): void => {
      for (const { value } of messages) seen.add(value);
    };
    await made.consume<number>({ topic: 'topic', group: 'g', onBatch });
    await made.publish('topic', [{ key: 'a', value: 0 }]);
    await until(() => seen.has(0));
    await own.halt();
    const published = made.publish('topic', [{ key: 'a', value: 1 }]);
    await own.resume();
    await published;
    await made.publish('topic', [{ key: 'b', value: 2 }]);
    await until(() => seen.size >= 3);
    expect([...seen].sort()).toEqual([0, 1, 2]);
    await made.close();
    await own.stop();
  }, 120_000);
});
