import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { EngineName } from '../services/containers.ts';
import { missingForKafka, startKafka } from '../services/kafka.mjs';
import { missingForPostgres, startPostgres } from '../services/postgres.mjs';
import {
  aBroker,
  aDatabase,
  anEventStoreNode,
  type Broker,
  type Database,
  type EventStoreNode,
} from '../services/start.ts';
import { Ports } from './ports.ts';
import { ServiceProcess, type ProcessOptions } from './processes.ts';

const checkout = resolve(import.meta.dirname, '../..');

/** Enough for a few services of each kind; a broker makes hundreds of them in seconds. */
export const PARTITIONS = 16;

export interface ClusterOptions {
  /** Everything that the cluster writes; made when it is missing. */
  readonly folder: string;
  readonly dags: string;
  readonly schedulers: number;
  readonly gateways: number;
  readonly workers: number;
  /** Attempts at once of each worker. */
  readonly slots: number;
  /** Seconds without a word after which the attempts of a worker are lost. Default: as the gateway has it. */
  readonly leaseSeconds?: number;
  /** Ports are taken from here on. */
  readonly firstPort: number;
  /** Of the API. */
  readonly port?: number;
  readonly say: (text: string) => void;
  /** The engines run in containers where that is possible. Default: as processes. */
  readonly containers?: boolean;
  /** More environment of every service. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What is missing on this machine, with how to get it. */
export function missingForCluster(): readonly string[] {
  return [...missingForKafka(), ...missingForPostgres()];
}

type Kind = 'query' | 'scheduler' | 'gateway' | 'worker' | 'alerting';

/** The distributed platform on one machine: a broker, a database, an event store, and every service as processes. */
export class Cluster {
  readonly services: ServiceProcess[] = [];
  url = '';
  eventStoreUrl = '';
  postgresUrl = '';
  kafka: Broker | undefined;
  eventStore: ServiceProcess | undefined;
  private eventStoreNode: EventStoreNode | undefined;
  private postgres: Database | undefined;
  private readonly options: ClusterOptions;
  private readonly ports: Ports;
  private readonly gatewayAddresses: string[] = [];

  constructor(options: ClusterOptions) {
    this.options = options;
    this.ports = new Ports(options.firstPort);
  }

  get logs(): string {
    return join(this.options.folder, 'logs');
  }

  of(kind: Kind): readonly ServiceProcess[] {
    return this.services.filter(({ name }) => name.startsWith(kind));
  }

  async start(): Promise<void> {
    const { folder, say } = this.options;
    // The database may run as another user, who has to reach its own folder.
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o711);
    for (const name of ['logs', 'kafka', 'postgres', 'storage', 'workers', 'files'])
      mkdirSync(join(folder, name), { recursive: true });
    say('Starting Kafka, PostgreSQL and the event store ...');
    await this.startEngines();
    say('Starting the services ...');
    await this.declareServices();
    for (const service of this.services) service.start();
    await Promise.all(
      this.services.map(async (service) => {
        await service.ready();
        say(`  ${service.name} is ready (pid ${service.pid})`);
      }),
    );
  }

  private async startEngines(): Promise<void> {
    const { folder, containers = false } = this.options;
    const [kafkaPort, postgresPort] = [await this.ports.take(), await this.ports.take()];
    const kafka = { folder: join(folder, 'kafka'), port: kafkaPort, keep: true };
    const postgres = { folder: join(folder, 'postgres'), port: postgresPort, keep: true };
    // Whatever starts is to be stopped, also when another does not.
    const started = await Promise.allSettled([
      (containers ? aBroker(kafka) : startKafka(kafka)).then((broker) => (this.kafka = broker)),
      (containers ? aDatabase(postgres) : startPostgres(postgres)).then((database) => {
        this.postgres = database;
        this.postgresUrl = database.url;
      }),
      this.startEventStore(),
    ]);
    for (const each of started) if (each.status === 'rejected') throw each.reason;
  }

  /** The one that is named, or one in a container, or the tests' own. */
  private async startEventStore(): Promise<void> {
    const named = process.env['RONDO_EVENTSTOREDB'];
    if (named === undefined && this.options.containers === true)
      this.eventStoreNode = await anEventStoreNode({ port: await this.ports.take() });
    this.eventStoreUrl = named ?? this.eventStoreNode?.connectionString ?? '';
    if (this.eventStoreUrl !== '') return;
    await this.declareEventStore();
    await this.eventStore!.ready();
  }

  private async declareEventStore(): Promise<void> {
    const [port, health] = [await this.ports.take(), await this.ports.take()];
    this.eventStoreUrl = `esdb://127.0.0.1:${port}?tls=false`;
    this.eventStore = new ServiceProcess({
      name: 'eventstore',
      main: 'tools/cluster/eventstore.ts',
      args: [join(this.options.folder, 'history'), String(port), String(health)],
      env: {},
      logs: this.logs,
      health: `http://127.0.0.1:${health}`,
    });
    this.eventStore.start();
  }

  private async declareServices(): Promise<void> {
    const { options } = this;
    const apiPort = options.port ?? (await this.ports.take());
    this.url = `http://127.0.0.1:${apiPort}`;
    await this.declare('query', 'query', { RONDO_API_LISTEN: `127.0.0.1:${apiPort}` });
    for (let n = 1; n <= options.gateways; n++) {
      const address = `127.0.0.1:${await this.ports.take()}`;
      this.gatewayAddresses.push(address);
      const lease = options.leaseSeconds === undefined ? {} : { RONDO_GATEWAY_LEASE: String(options.leaseSeconds) };
      await this.declare(`gateway-${n}`, 'executor-gateway', { RONDO_GATEWAY_LISTEN: address, ...lease });
    }
    for (let n = 1; n <= options.schedulers; n++)
      await this.declare(`scheduler-${n}`, 'scheduler', { RONDO_SCHEDULER_DAGS: options.dags });
    for (let n = 1; n <= options.workers; n++) await this.declareWorker(`worker-${n}`);
    await this.declare('alerting', 'alerting', { RONDO_ALERTING_PORT: String(await this.ports.take()) });
  }

  private declareWorker(name: string): Promise<void> {
    const { folder, dags, slots } = this.options;
    return this.declare(name, 'worker', {
      RONDO_GATEWAYS_ADDRESSES: this.gatewayAddresses.join(','),
      RONDO_WORKER_NAME: name,
      RONDO_WORKER_DATA: join(folder, 'workers', name),
      RONDO_WORKER_SLOTS: String(slots),
      // As from the DAG file itself, and then what this installation has.
      RONDO_WORKER_MODULE_ROOTS: `${dags},${checkout}`,
      RONDO_WORKER_PASS_ENV: 'RONDO_EXAMPLE_*',
      RONDO_EXAMPLE_FILES: join(folder, 'files'),
    });
  }

  private async declare(name: string, app: string, env: Readonly<Record<string, string>>): Promise<void> {
    const health = `127.0.0.1:${await this.ports.take()}`;
    const process: ProcessOptions = {
      name,
      main: `apps/${app}/src/main.ts`,
      env: {
        ...(app === 'worker' ? {} : this.shared()),
        RONDO_SERVICE_INSTANCE: name,
        RONDO_SERVICE_HEALTH: health,
        RONDO_SERVICE_LOG_FORMAT: 'json',
        ...env,
        ...this.options.env,
      },
      logs: this.logs,
      health: `http://${health}`,
    };
    this.services.push(new ServiceProcess(process));
  }

  private shared(): Readonly<Record<string, string>> {
    return {
      RONDO_KAFKA_BROKERS: this.kafka!.brokers.join(','),
      RONDO_KAFKA_PARTITIONS: String(PARTITIONS),
      RONDO_EVENTSTORE_URL: this.eventStoreUrl,
      RONDO_POSTGRES_URL: this.postgresUrl,
      RONDO_STORAGE_URL: `file://${join(this.options.folder, 'storage')}`,
      RONDO_SECRETS_KEY: this.secretKey(),
    };
  }

  /** Kept with the data that it opens. */
  private secretKey(): string {
    const file = join(this.options.folder, 'secret.key');
    if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 });
    return readFileSync(file, 'utf8');
  }

  /** Kills an engine, and starts it again where it was, with what it had, when the pause is over. */
  async away(engine: EngineName, pause: () => Promise<void>): Promise<void> {
    const found = this.engineOf(engine);
    await found.halt('SIGKILL');
    await pause();
    await found.resume();
  }

  private engineOf(name: EngineName): Pick<Broker, 'halt' | 'resume'> {
    const own = this.eventStore;
    if (name === 'eventstoredb' && own !== undefined)
      return {
        halt: () => own.kill(),
        resume: () => {
          own.start();
          return own.ready();
        },
      };
    const found = { kafka: this.kafka, postgres: this.postgres, eventstoredb: this.eventStoreNode }[name];
    if (found === undefined) throw new Error(`the ${name} of this cluster is not its own to stop`);
    return found;
  }

  /** The services first, those that hand out work before those that do it. Answers those that had to be killed. */
  async stop(): Promise<readonly string[]> {
    const late: string[] = [];
    const stop = async (service: ServiceProcess): Promise<void> => {
      if (service.isRunning && !(await service.stop())) late.push(service.name);
    };
    await Promise.all([...this.of('worker'), ...this.of('query'), ...this.of('alerting')].map(stop));
    await Promise.all(this.of('gateway').map(stop));
    await Promise.all(this.of('scheduler').map(stop));
    const { kafka, postgres, eventStoreNode } = this;
    this.kafka = this.postgres = this.eventStoreNode = undefined;
    await kafka?.stop();
    await postgres?.stop();
    await eventStoreNode?.stop();
    if (this.eventStore !== undefined) await stop(this.eventStore);
    return late;
  }

  /** Removes all that it has written. */
  remove(): void {
    rmSync(this.options.folder, { recursive: true, force: true });
  }
}
