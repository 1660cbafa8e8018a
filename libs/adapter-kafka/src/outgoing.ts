import { CompressionTypes, type Message, type Producer, type ProducerBatch } from 'kafkajs';

/** Characters from which a request is compressed: a broker refuses batches by their size, and definitions repeat themselves. */
const COMPRESS_FROM = 64 * 1024;

interface Waiting {
  readonly topic: string;
  readonly messages: readonly Message[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The broker and this producer do not agree about what was sent: a retry of a request that was taken in part can lead to it. */
const OUT_OF_STEP: readonly unknown[] = [
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
];
const MOST_ANEW = 5;

/** What is published while a request is on its way goes out together with the next one, in the order of the calls. */
export class Outgoing {
  readonly #make: () => Producer;
  #producer: Producer;
  #waiting: Waiting[] = [];
  #sending: Promise<void> | undefined;

  constructor(make: () => Producer) {
    this.#make = make;
    this.#producer = make();
  }

  connect(): Promise<void> {
    return this.#producer.connect();
  }

  /** After what is on its way. */
  async disconnect(): Promise<void> {
    await this.settled();
    await this.#producer.disconnect();
  }

  send(topic: string, messages: readonly Message[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, messages, resolve, reject });
      this.#sending ??= Promise.resolve().then(() => this.#drain());
    });
  }

  async settled(): Promise<void> {
    await this.#sending;
  }

  /** A new producer begins anew, and what it sends may come twice: each message comes at least once. */
  async #sendBatch(batch: ProducerBatch): Promise<void> {
    for (let times = 1; ; times++)
      try {
        await this.#producer.sendBatch(batch);
        return;
      } catch (error) {
        if (times > MOST_ANEW || !OUT_OF_STEP.includes(typeOf(error))) throw error;
        const old = this.#producer;
        this.#producer = this.#make();
        await this.#producer.connect();
        await old.disconnect().catch(() => undefined);
      }
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const byTopic = new Map<string, Message[]>();
      for (const { topic, messages } of batch) {
        const list = byTopic.get(topic);
        if (list === undefined) byTopic.set(topic, [...messages]);
        else list.push(...messages);
      }
      try {
        const topicMessages = Array.from(byTopic, ([topic, messages]) => ({ topic, messages }));
        await this.#sendBatch({ acks: -1, topicMessages, compression: compressionOf(batch) });
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#sending = undefined;
  }
}

function compressionOf(batch: readonly Waiting[]): CompressionTypes {
  let size = 0;
  for (const { messages } of batch) for (const { value } of messages) size += value?.length ?? 0;
  return size < COMPRESS_FROM ? CompressionTypes.None : CompressionTypes.GZIP;
}

/** Of the broker's answer, which may be the cause of another error. */
function typeOf(error: unknown): unknown {
  const { type, cause } = error as { readonly type?: unknown; readonly cause?: { readonly type?: unknown } };
  return type ?? cause?.type;
}
