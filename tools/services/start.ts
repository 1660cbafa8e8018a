/** The engines that tests want: in containers where that is possible, as processes of this machine otherwise. */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventStoreDb } from '@rondo/adapter-eventstoredb';
import { hostOfContainers, imageOf, startContainer, type Engine } from './containers.ts';
import { freePort } from './free-port.mjs';
import { startKafka } from './kafka.mjs';
import { startPostgres } from './postgres.mjs';

export interface Broker extends Engine {
  readonly brokers: readonly string[];
  /** Of a process of this machine. */
  readonly pid?: number | undefined;
}

export interface Database extends Engine {
  /** `postgres://…` of the superuser, over TCP. */
  readonly url: string;
}

export interface EventStoreNode extends Engine {
  readonly connectionString: string;
}

interface Place {
  /** What a process writes; a container keeps it to itself. Default: a folder that is removed at the end. */
  readonly folder?: string;
  /** Default: a free one. */
  readonly port?: number;
}

export async function aBroker(place: Place = {}): Promise<Broker> {
  const image = await imageOf('kafka');
  if (image === undefined) return startKafka(place);
  const [host, at] = [await hostOfContainers(), place.port ?? (await freePort())];
  const environment = {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${host}:${at}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '4',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_LOG_DIRS: '/var/lib/kafka/data',
    // Of the images of Confluent, which ask for it.
    CLUSTER_ID: 'cmFvbmRvLXRlc3QtMDAwMQ',
  };
  return { ...(await startContainer({ image, environment, port: 9092, at })), brokers: [`${host}:${at}`] };
}

export async function aDatabase(place: Place = {}): Promise<Database> {
  const image = await imageOf('postgres');
  if (image === undefined) return startPostgres(place);
  const [host, at] = [await hostOfContainers(), place.port ?? (await freePort())];
  const environment = { POSTGRES_USER: 'rondo', POSTGRES_PASSWORD: 'rondo', POSTGRES_DB: 'postgres' };
  const command = ['postgres', '-c', 'fsync=off'];
  const engine = await startContainer({ image, environment, command, port: 5432, at });
  return { ...engine, url: `postgres://rondo:rondo@${host}:${at}/postgres` };
}

/** Undefined: there is none to be had here, and the tests' own server stands in for it. */
export async function anEventStoreNode(place: Place = {}): Promise<EventStoreNode | undefined> {
  const image = await imageOf('eventstoredb');
  if (image === undefined) return undefined;
  const [host, at] = [await hostOfContainers(), place.port ?? (await freePort())];
  // Under both names: EventStoreDB's, and KurrentDB's.
  const settings = { CLUSTER_SIZE: '1', INSECURE: 'true', RUN_PROJECTIONS: 'None', NODE_PORT: '2113' };
  const environment = Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => [
      [`EVENTSTORE_${name}`, value],
      [`KURRENTDB_${name}`, value],
    ]),
  );
  const engine = await startContainer({ image, environment, port: 2113, at });
  const connectionString = `esdb://${host}:${at}?tls=false`;
  await untilLed(connectionString);
  return { ...engine, connectionString };
}

/** A node listens before it leads its cluster of one, and refuses what it is asked until then. */
async function untilLed(connectionString: string): Promise<void> {
  const store = eventStoreDb({ connectionString });
  try {
    for (let tries = 0; ; tries++)
      try {
        await store.head();
        return;
      } catch (error) {
        if (tries > 100) throw error;
        await sleep(300);
      }
  } finally {
    await store.close();
  }
}
