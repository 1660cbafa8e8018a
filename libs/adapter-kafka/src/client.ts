import { Kafka, logLevel, type Admin, type LogEntry, type SASLOptions } from 'kafkajs';
import type { ConnectionOptions } from 'node:tls';

export interface KafkaSecurity {
  /** True: TLS with the system's certificate authorities. Default: none. */
  readonly tls?: boolean | ConnectionOptions;
  readonly sasl?: SASLOptions;
}

export interface ClientOptions extends KafkaSecurity {
  /** `host:port` of some of the brokers. */
  readonly brokers: readonly string[];
  readonly clientId?: string;
  /** Told what the client warns of. Default: nobody. */
  readonly onWarning?: (text: string) => void;
}

export function clientOf({ brokers, clientId = 'rondo', tls, sasl, onWarning }: ClientOptions): Kafka {
  return new Kafka({
    brokers: [...brokers],
    clientId,
    ...(tls === undefined ? {} : { ssl: tls }),
    ...(sasl === undefined ? {} : { sasl }),
    // A broker that is away is waited for: nothing is lost, and nothing spins.
    retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: Number.MAX_SAFE_INTEGER },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => onWarning?.(textOf(entry)),
  });
}

function textOf({ namespace, log }: LogEntry): string {
  const error = log['error'] as unknown;
  return `${namespace}: ${log.message}${typeof error === 'string' ? `: ${error}` : ''}`;
}

/** Topics as they should be: made where they are missing, refused where they have another number of partitions. */
export class Topics {
  readonly #admin: Admin;
  readonly #partitions: number;
  readonly #replicas: number;
  readonly #known = new Map<string, Promise<void>>();

  constructor(admin: Admin, partitions: number, replicas: number) {
    this.#admin = admin;
    this.#partitions = partitions;
    this.#replicas = replicas;
  }

  ensure(topic: string): Promise<void> {
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    const checked = this.#check(topic);
    this.#known.set(topic, checked);
    checked.catch(() => this.#known.delete(topic));
    return checked;
  }

  async #check(topic: string): Promise<void> {
    const wanted = { topic, numPartitions: this.#partitions, replicationFactor: this.#replicas };
    await this.#admin.createTopics({ waitForLeaders: true, topics: [wanted] });
    const { topics } = await this.#admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics[0]?.partitions.length ?? 0;
    if (found !== this.#partitions)
      throw new Error(
        `topic '${topic}' has ${found} partitions, wanted are ${this.#partitions}: keys would go elsewhere; make the topic anew or set the number of partitions to ${found}`,
      );
  }
}
