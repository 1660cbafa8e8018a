import { NestFactory } from '@nestjs/core';
import { systemClock, systemIds } from '@rondo/adapter-embedded';
import { grpcSessionHost, serverTlsOf, serverTlsProblems } from '@rondo/adapter-grpc';
import { combineHosts } from '@rondo/adapter-kubernetes';
import {
  attemptServices,
  patientServices,
  openedReadModels,
  ParseDesk,
  StoredSecrets,
  type Gateway,
} from '@rondo/application';
import type { Result } from '@rondo/kernel';
import { address, nestLogger, text, whole, type Service, type ServiceDefinition } from '@rondo/nest-platform/service';
import { connectionFromEnv, variableFromEnv } from '@rondo/sdk';
import {
  EVENTSTORE_SETTINGS,
  KAFKA_SETTINGS,
  kafkaProblems,
  monotonicMs,
  openBus,
  openEventStore,
  openKeyring,
  openReadModels,
  openSecrets,
  openStorage,
  OTHER_SECTIONS,
  POSTGRES_SETTINGS,
  RELEASE,
  SECRETS_SETTINGS,
  STORAGE_SETTINGS,
} from '@rondo/service-kit';
import { GATEWAY, GatewayModule } from '../gateway.module.ts';
import { KUBERNETES_SETTINGS, kubernetesProblems, openKubernetes } from './kubernetes.ts';
import { gatewayMetrics } from './metrics.ts';

const SETTINGS = {
  kafka: KAFKA_SETTINGS,
  eventstore: EVENTSTORE_SETTINGS,
  postgres: POSTGRES_SETTINGS,
  storage: STORAGE_SETTINGS,
  secrets: SECRETS_SETTINGS,
  kubernetes: KUBERNETES_SETTINGS,
  gateway: {
    listen: address('Where workers connect over gRPC.', { default: '127.0.0.1:7070' }),
    lease: whole(
      'Seconds without a word after which the attempts of a worker are lost; the same for all gateways.',
      2,
      3_600,
      {
        default: 120,
      },
    ),
    tlsCert: text('A file with the certificate of the gateway, in PEM; with it connections are encrypted.', {}),
    tlsKey: text('A file with its key.', {}),
    tlsClientCa: text('A file with those who sign the certificates of workers: with it a worker must show one.', {}),
  },
};

export const gatewayService: ServiceDefinition<typeof SETTINGS> = {
  service: 'executor-gateway',
  about: 'Hands attempts to workers, keeps what their pools allow, and serves what running tasks ask for.',
  release: RELEASE,
  sections: SETTINGS,
  otherSections: OTHER_SECTIONS,
  check: ({ kafka, gateway, kubernetes }) => [
    ...kafkaProblems(kafka),
    ...kubernetesProblems(kubernetes),
    ...serverTlsProblems(gateway, (field) => `gateway.${field}`),
  ],
  compose,
};

async function compose(service: Service<typeof SETTINGS>): Promise<void> {
  const { config, log, add, instance } = service;
  const clock = systemClock();
  const store = await openEventStore(service, config.eventstore);
  const { blobs, bundles, logs } = await openStorage(service, config.storage);
  const bus = await openBus(service, config.kafka);
  const rows = await openReadModels(service, config.postgres, { events: store, blobs, writes: false });
  const keyring = await openKeyring(service, config.secrets, config.postgres);
  const readModels = openedReadModels(rows, keyring);
  const lookup = new StoredSecrets({
    environment: {
      variable: (key) => variableFromEnv(process.env, key),
      connection: (id) => orThrow(connectionFromEnv(process.env, id)),
    },
    readModels,
    secrets: openSecrets(config.secrets),
  });
  const { host: name, port } = config.gateway.listen;
  const tls = serverTlsOf(config.gateway);
  const workers = grpcSessionHost({
    ...{ logs, bundles },
    listen: `${name.includes(':') ? `[${name}]` : name}:${port}`,
    ...(tls === undefined ? {} : { tls }),
    onNotice: (notice) => log.warn(notice),
  });
  const { kubernetes } = config;
  const onNotice = (notice: string): void => log.warn(notice, { executor: 'kubernetes' });
  const host = kubernetes.enabled
    ? combineHosts(workers, openKubernetes(kubernetes, { release: RELEASE, logs, onNotice }))
    : workers;
  const module = GatewayModule.register({
    ...{ bus, store, clock, host },
    cluster: {
      ...{ gateway: instance, release: RELEASE, ids: systemIds, monotonic: monotonicMs },
      leaseMs: config.gateway.lease * 1_000,
      shards: config.kafka.partitions,
      services: patientServices(attemptServices({ lookup, readModels, store, blobs, keyring }), clock),
      onProblem: (message) => log.warn(message),
    },
  });
  const context = await NestFactory.createApplicationContext(module, { logger: nestLogger(log), abortOnError: false });
  await add({ name: 'nest', stop: () => context.close() });
  const gateway = context.get<Gateway>(GATEWAY);
  await add({
    name: 'gateway',
    start: () => gateway.start(),
    stop: (graceMs) => gateway.stop(graceMs),
    check: async () => standOf(gateway),
  });
  gatewayMetrics(service.metrics, gateway);
  log.info('takes workers', { address: workers.address });
  const desk = new ParseDesk(
    bus,
    (request) => gateway.parse(request),
    (error) => log.warn('a parse failed', { error }),
  );
  await add({ name: 'parsing', start: () => desk.start(), stop: () => desk.stop() });
}

/** A gateway without workers is ready: they come to it. */
function standOf(gateway: Gateway): string {
  const { workers, slots, waiting, assigned, partitions, recovering } = gateway.status();
  const connected = workers.filter(({ isConnected }) => isConnected).length;
  return `${connected} workers, ${slots} slots, ${assigned} assigned, ${waiting} waiting, ${partitions} partitions, ${recovering} recovering`;
}

function orThrow<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}
