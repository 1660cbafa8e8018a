import { CompressionTypes, type Message, type Producer } from 'kafkajs';

/** Characters from which a request is compressed: a broker refuses batches by their size, and definitions repeat themselves. */
const COMPRESS_FROM = 64 * 1024;

interface Waiting {
  readonly topic: string;
  readonly messages: readonly Message[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What is published while a request is on its way goes out together with the next one, in the order of the calls. */
export class Outgoing {
  readonly #producer: Producer;
  #waiting: Waiting[] = [];
  #sending: Promise<void> | undefined;

  constructor(producer: Producer) {
    this.#producer = producer;
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
        await this.#producer.sendBatch({ acks: -1, topicMessages, compression: compressionOf(batch) });
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
