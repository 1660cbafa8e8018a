import { randomUUID } from 'node:crypto';
import { describeDeadLettersContract, describeMessageBusContract } from '@rondo/testing';
import { aBroker, type Broker } from '../../tools/services/start.ts';
import { kafkaBus, type KafkaBus } from '@rondo/adapter-kafka';
import { Kafka, logLevel, type Message, type Producer } from 'kafkajs';

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

const until = async (done: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 10));
};

const raw: Producer[] = [];
afterAll(() => Promise.all(raw.map((producer) => producer.disconnect())));

/** Sends what it is given, as anybody may who reaches the broker. */
async function rawProducer() {
  const producer = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).producer();
  raw.push(producer);
  await producer.connect();
  return (topic: string, message: Message) => producer.send({ topic, messages: [message] });
}

describeDeadLettersContract('Kafka', async () => {
  const prefix = `${randomUUID()}.`;
  const made = bus({ prefix, partitions: 2 });
  for (const topic of ['a', 'b']) await made.consume({ topic, group: 'g', onBatch: () => undefined });
  const send = await rawProducer();
  const { deadLetters } = made;
  const count = async (): Promise<number> => (await deadLetters.list({ limit: 1_000 })).items.length;
  return {
    deadLetters,
    spoil: async (topic, key, value) => {
      const before = await count();
      const partition = made.partitionOf(topic, key ?? '');
      await send(`${prefix}${topic}`, { key, value: value === null ? null : Buffer.from(value), partition });
      await until(async () => (await count()) > before);
    },
    dispose: () => made.close(),
  };
});

describe('the Kafka bus', () => {
  it('refuses a topic of another number of partitions, and says both', async () => {
    const prefix = `${randomUUID()}.`;
    const [few, many] = [bus({ prefix, partitions: 4 }), bus({ prefix, partitions: 64 })];
    await few.publish('topic', [{ key: 'a', value: 1 }]);
    await expect(many.publish('topic', [{ key: 'a', value: 2 }])).rejects.toThrow(/has 4 partitions, wanted are 64/);
    await Promise.all([few.close(), many.close()]);
  });

  it('goes on after what it cannot decode, and takes it for one message, whoever could not', async () => {
    const prefix = `${randomUUID()}.`;
    const made = bus({ prefix });
    const seen: unknown[] = [];
    const onBatch = (messages: readonly { readonly value: unknown }[]): void => {
      seen.push(...messages.map(({ value }) => value));
    };
    for (const group of ['g', 'h']) await made.consume({ topic: 'topic', group, onBatch });
    const send = await rawProducer();
    await send(`${prefix}topic`, { key: 'a', value: '{"broken', partition: made.partitionOf('topic', 'a') });
    await made.publish('topic', [{ key: 'a', value: 'after' }]);
    await until(() => seen.length === 2);
    expect(seen).toEqual(['after', 'after']);
    const { items } = await made.deadLetters.list({ limit: 9 });
    expect(items).toHaveLength(2);
    expect(await made.deadLetters.replay([items[0]!.id], 'ada')).toEqual({ ok: true, value: 1 });
    expect((await made.deadLetters.list({ limit: 2 })).items).toMatchObject([
      { replayed: { by: 'ada' } },
      { replayed: { by: 'ada' } },
    ]);
    await made.close();
  });

  it('tells how many messages each group has still to handle', async () => {
    const made = bus();
    const held = Promise.withResolvers<void>();
    await made.consume({ topic: 'topic', group: 'g', maxBatch: 1, onBatch: () => held.promise });
    await made.consume({ topic: 'topic', group: 'passing', from: 'now', onBatch: () => undefined });
    const all = Array.from({ length: 10 }, (_, value) => ({ key: 'a', value }));
    await made.publish('topic', all);
    expect(await made.lag()).toEqual([{ topic: 'topic', group: 'g', messages: 10 }]);
    held.resolve();
    while ((await made.lag())[0]!.messages > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await made.close();
  }, 60_000);

  it('waits for a broker that is away, and loses nothing; whoever looks at dead letters is told', async () => {
    const own = await aBroker();
    const made = kafkaBus({ brokers: own.brokers, sessionTimeoutMs: 6_000, patienceMs: 1_000 });
    const seen = new Set<number>();
    const onBatch = (messages: readonly { readonly value: number }[]): void => {
      for (const { value } of messages) seen.add(value);
    };
    await made.consume<number>({ topic: 'topic', group: 'g', onBatch });
    await made.publish('topic', [{ key: 'a', value: 0 }]);
    await until(() => seen.has(0));
    await own.halt();
    const published = made.publish('topic', [{ key: 'a', value: 1 }]);
    const [looking, replaying] = [made.deadLetters.list({ limit: 1 }), made.deadLetters.replay([0], 'ada')];
    const away = { name: 'BusUnavailableError', message: expect.stringContaining('the brokers have not') as string };
    await expect(looking).rejects.toMatchObject(away);
    await expect(replaying).rejects.toMatchObject(away);
    await own.resume();
    await published;
    await made.publish('topic', [{ key: 'b', value: 2 }]);
    await until(() => seen.size >= 3);
    expect([...seen].sort()).toEqual([0, 1, 2]);
    await made.close();
    await own.stop();
  }, 120_000);
});
